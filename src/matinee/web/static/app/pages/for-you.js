// For you: the list with stars, reasons, dials and filters, all of them in the address.
import { ask, of } from "../api.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { restoreScroll, setQuery } from "../router.js";
import { mark, person, rate, starsOf, usePerson } from "../state.js";
import { Facts, FilmCard, Predicted } from "../ui/card.js";
import { Empty, Failure } from "../ui/empty.js";
import { chosen, Filters, FILTERS, NAMES, useGenres } from "../ui/filters.js";
import { nameOf, percentText, titleOf } from "../ui/film.js";
import { Icon } from "../ui/icons.js";
import { StarsInput } from "../ui/stars.js";
import { say } from "../ui/toast.js";

const PAGE = 24;
const REASONS = 2;

// What the address asks for, as the API takes it.
function asked(query) {
  const found = {};
  for (const [name, kind] of Object.entries(FILTERS)) {
    const values = query.getAll(name).filter(Boolean);
    if (values.length) found[name] = kind === "list" ? values : Number(values[0]);
  }
  return found;
}

function fetchPage(filters, offset) {
  const wanted = { ...filters, limit: PAGE, offset, explain: true };
  if (person.userId && person.ratings.size) return ask(of(person.userId, "recommendations"), { query: wanted });
  return ask("/recommendations", { body: { ...wanted, explain: false, ratings: [] } });
}

function useFilms(query) {
  const [state, setState] = useState({ films: null, answer: null, failure: null, turn: 0 });
  const gone = useRef(0); // films that left the list since it was asked for: later ones have moved up
  const turn = useRef(0);
  const { ready } = usePerson();

  async function more(kept) {
    const mine = kept ? turn.current : ++turn.current;
    try {
      const offset = kept ? kept.length - gone.current : 0;
      const answer = await fetchPage(asked(query), Math.max(0, offset));
      if (mine !== turn.current) return;
      const shown = new Set((kept ?? []).map((film) => film.movie_id));
      const next = answer.recommendations.filter((film) => !shown.has(film.movie_id));
      setState({ films: [...(kept ?? []), ...next], answer, failure: null, turn: mine });
    } catch (failure) {
      setState((now) => ({ ...now, failure }));
    }
  }

  useEffect(() => {
    gone.current = 0;
    if (ready) more(null);
  }, [ready, String(query)]);
  return { ...state, more: () => more(state.films), again: () => more(null), left: (by) => (gone.current += by) };
}

function because(film) {
  const best = film.because?.filter((one) => one.contribution > 0).slice(0, REASONS) ?? [];
  return best.map((one) => `${titleOf(one.title)} (${percentText(one.share)})`).join(", ");
}

function Choice({ film, onLeft }) {
  const { watchlist } = usePerson();
  const [hidden, setHidden] = useState(false);
  const [seen, setSeen] = useState(false);
  const stars = starsOf(film);
  const wanted = watchlist.has(String(film.movie_id));
  const fail = (error) => say(error.message, { bad: true });

  function hide(on) {
    setHidden(on);
    onLeft(on ? 1 : -1);
    mark("notInterested", film, on).catch(fail);
    if (on) say(`${nameOf(film)} is never suggested again.`, { undo: () => hide(false) });
  }

  function give(value) {
    if (stars === null) onLeft(1);
    if (value !== null) rate(film, value).catch(fail);
  }

  if (hidden) return null;
  const why = because(film);
  return html`<${FilmCard} film=${film} className="choice">
    <${Predicted} film=${film} />
    <${Facts} film=${film} />
    ${why && html`<p class="why">Because you liked ${why}</p>`}
    ${seen || stars !== null ? html`<${StarsInput} film=${film} value=${stars} onRate=${give} />` : null}
    <div class="choice-buttons">
      <button class="icon-button" aria-pressed=${wanted} aria-label=${`Want to watch ${nameOf(film)}`} title="Want to watch" onClick=${() => mark("watchlist", film, !wanted).catch(fail)}><${Icon} name="bookmark" filled=${wanted} /></button>
      <button class="icon-button" aria-expanded=${seen} aria-label=${`Seen ${nameOf(film)}: give stars`} title="Seen it" onClick=${() => setSeen(!seen)}><${Icon} name="check" /></button>
      <button class="icon-button" aria-label=${`Not interested in ${nameOf(film)}`} title="Not interested" onClick=${() => hide(true)}><${Icon} name="hide" /></button>
    </div>
  <//>`;
}

function counted(total, filtered) {
  const films = `${total.toLocaleString("en")} ${total === 1 ? "film" : "films"}`;
  return filtered ? `${films} ${total === 1 ? "fits" : "fit"} your filters` : `${films} to choose from`;
}

function Nothing({ answer }) {
  const names = (answer.relax ?? "").split(/[^a-z_]+/).filter((name) => name in FILTERS);
  return html`<${Empty} title="No film passes all of these">
    <p>${names.length ? `What stands in the way: ${names.map((name) => NAMES[name]).join(" and ")}.` : "Everything here is rated or hidden."}</p>
    ${names.length > 0 && html`<button class="button" onClick=${() => setQuery(Object.fromEntries(names.map((name) => [name, null])))}>Take ${names.map((name) => NAMES[name]).join(" and ")} off</button>`}
  <//>`;
}

export default function ForYou({ address }) {
  const { ratings, ready } = usePerson();
  const { films: found, answer, turn, failure, more, again, left } = useFilms(address.query);
  const known = useGenres();
  const films = known && found; // filters that are open would grow and push them down
  const waiting = known || !chosen(address.query) ? Array(PAGE).fill(null) : [];
  useEffect(() => void (films && restoreScroll()), [films !== null, turn]);
  return html`<div class="page for-you">
    <h1>For you</h1>
    <p class="lead">${ready && !ratings.size ? html`What most people would get. <a href="/">Rate a few films</a>, and it is yours.` : "What you would watch, best first, with the stars you would give."}</p>
    <${Filters} query=${address.query} known=${known} />
    <p class="quiet" role="status">${films ? counted(answer.total, chosen(address.query)) : " "}</p>
    ${failure && html`<${Failure} error=${failure} retry=${again} />`}
    ${films?.length === 0 && html`<${Nothing} answer=${answer} />`}
    <div class="wall choices" aria-busy=${!films}>
      ${(films ?? waiting).map((film, place) => (film ? html`<${Choice} key=${film.movie_id} film=${film} onLeft=${left} />` : html`<div key=${`waiting-${place}`} class="card waiting" aria-hidden="true"></div>`))}
    </div>
    ${films?.length > 0 && films.length < answer.total && html`<p class="wall-more"><button class="button quiet" onClick=${more}>Show more</button></p>`}
  </div>`;
}
