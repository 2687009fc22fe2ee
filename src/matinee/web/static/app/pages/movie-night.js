// Movie night: one list for several people, with everybody's stars, in the way that they want to agree.
import { ask } from "../api.js";
import { html, useEffect, useMemo, useRef, useState } from "../html.js";
import { GuestDialog } from "../night/guest.js";
import { pack, packedIn, unpack } from "../night/packed.js";
import { found, memberOf, usePeople } from "../night/people.js";
import { go, setQuery } from "../router.js";
import { usePerson } from "../state.js";
import { Empty, Failure } from "../ui/empty.js";
import { addressOf, genresText, givenText, nameOf, starsText } from "../ui/film.js";
import { useMoves } from "../ui/flip.js";
import { Icon } from "../ui/icons.js";
import { Poster } from "../ui/poster.js";
import { say } from "../ui/toast.js";

const PAGE = 12;
const MODES = [
  ["mean", "On average", "What pleases the group most on the whole."],
  ["least_misery", "Nobody suffers", "The least happy of you decides: no film that somebody would hate."],
  ["fairness", "In turns", "Everybody's favourites in turn, like choosing one after the other."],
  ["most_pleasure", "Somebody's joy", "The happiest of you decides: for evenings when one of you is to be pleased."],
];

// The list for these people; asked again when anything changes, an older answer never shown over a newer one.
function useList(members, options, vetoed) {
  const [state, setState] = useState({ list: null, failure: null, busy: false });
  const wanted = JSON.stringify({ members, ...options, exclude: vetoed.map((film) => film.movie_id), limit: PAGE });
  useEffect(() => {
    if (!members.length) return void setState({ list: null, failure: null, busy: false });
    const stop = new AbortController();
    setState((now) => ({ ...now, busy: true }));
    ask("/groups/recommendations", { body: JSON.parse(wanted), signal: stop.signal }).then(
      (list) => setState({ list, failure: null, busy: false }),
      (failure) => failure.name === "AbortError" || setState({ list: null, failure, busy: false }),
    );
    return () => stop.abort();
  }, [wanted]);
  return state;
}

const initial = (name) => [...name.trim()][0]?.toUpperCase() ?? "?";

function Face({ place, name }) {
  return html`<span class="face" data-face=${place % 8} aria-hidden="true">${initial(name)}</span>`;
}

function People({ guests, you, onRemove, onEdit }) {
  return html`<ul class="guests">
    ${guests.map(
      (one, place) => html`<li key=${one.name} class="guest-chip">
        <${Face} place=${place} name=${one.name} />
        <span>${one.name}${one === you ? "" : html` <span class="quiet">${one.ratings ? `${one.ratings.length} rated` : ""}</span>`}</span>
        ${one.ratings?.some((rating) => rating.film) && html`<button class="link-button" onClick=${() => onEdit(one)} aria-label=${`Rate more for ${one.name}`}>rate more</button>`}
        <button class="icon-button small" aria-label=${`${one.name} does not come`} onClick=${() => onRemove(one)}><${Icon} name="close" /></button>
      </li>`,
    )}
  </ul>`;
}

function Invite({ onAdd, onGuest, you }) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState(null);
  async function add(event) {
    event.preventDefault();
    if (!text.trim()) return;
    try {
      onAdd(await found(text.trim()));
      setText("");
      setProblem(null);
    } catch (error) {
      setProblem(error.message);
    }
  }
  return html`<form class="invite" onSubmit=${add} novalidate>
    <label for="invite">Who else comes?</label>
    <div class="field-row">
      <input id="invite" class="field" maxlength="8000" autocomplete="off" placeholder="Their address or name" aria-describedby="invite-help" aria-invalid=${problem ? "true" : null} value=${text} onInput=${(event) => setText(event.target.value)} />
      <button class="button">Add</button>
    </div>
    <p id="invite-help" class=${problem ? "problem" : "quiet"} role=${problem ? "alert" : null}>${problem ?? "Paste the movie night address that a friend sent you."}</p>
    <div class="chips">
      <button type="button" class="chip" onClick=${onGuest}>Rate here for a friend</button>
      ${you && html`<${MyAddress} />`}
    </div>
  </form>`;
}

function MyAddress() {
  const { ratings, userId } = usePerson();
  const [address, setAddress] = useState(null);
  const field = useRef();
  async function make() {
    const rated = [...ratings.values()].map(({ film, stars }) => ({ movie_id: film.movie_id, stars }));
    const name = /^u-/.test(userId) ? "A friend" : userId;
    const made = `${location.origin}/movie-night#with=${await pack(name, rated)}`;
    setAddress(made);
    await navigator.clipboard?.writeText(made).then(() => say("Your movie night address is copied: send it to whoever plans the evening."), () => {});
    field.current?.select();
  }
  return html`<button type="button" class="chip" onClick=${make}>Copy my address</button>
    ${address && html`<input ref=${field} class="field mine" readonly aria-label="Your movie night address: it holds your stars, nothing else" value=${address} />`}`;
}

function Agreement({ mode, veto }) {
  return html`<div class="agreement">
    <fieldset class="modes">
      <legend>How do you agree?</legend>
      ${MODES.map(
        ([name, label, note]) => html`<label key=${name}>
          <input type="radio" name="mode" checked=${mode === name} onChange=${() => setQuery({ mode: name === "mean" ? null : name }, { replace: true })} /><span>${label}</span><span class="quiet">${note}</span>
        </label>`,
      )}
    </fieldset>
    <label class="veto">Leave out what anybody would give fewer than
      <select class="field" value=${veto ?? ""} onChange=${(event) => setQuery({ veto: event.target.value }, { replace: true })}>
        <option value="">no limit</option>
        ${[2, 2.5, 3, 3.5, 4].map((stars) => html`<option key=${stars} value=${stars}>${givenText(stars)}</option>`)}
      </select>
    </label>
  </div>`;
}

function Night({ film, guests, onVeto }) {
  const least = Math.min(...film.stars);
  return html`<article class="night-film">
    <a class="night-poster" href=${addressOf(film)} tabindex="-1" aria-hidden="true"><${Poster} film=${film} small /></a>
    <div class="night-words">
      <h3><a href=${addressOf(film)}>${nameOf(film)}</a> <span class="quiet">${film.year}</span></h3>
      <p class="quiet">${genresText(film)}${film.turn !== null && guests[film.turn] ? html` · <strong>${guests[film.turn].name} chose</strong>` : ""}</p>
      <ul class="night-stars">
        ${guests.map(
          (one, place) => html`<li key=${one.name} class=${film.stars[place] === least && guests.length > 1 ? "least" : ""}>
            <${Face} place=${place} name=${one.name} /><span class="hidden">${one.name}: </span>
            <span class="predicted-stars">${starsText(film.stars[place])}<${Icon} name="star" filled /></span>
          </li>`,
        )}
      </ul>
    </div>
    <button class="button quiet" aria-label=${`Veto ${nameOf(film)}`} onClick=${() => onVeto(film)}>Veto</button>
  </article>`;
}

function useArrival(address, add) {
  useEffect(() => {
    const letters = packedIn(`#${address.hash}`);
    if (!letters) return;
    go("/movie-night", { replace: true });
    unpack(letters).then((person) => {
      if (!person) return say("This movie night address is damaged: copy it whole.", { bad: true });
      try {
        add(person);
        say(`${person.name} joins the movie night.`);
      } catch (error) {
        say(error.message);
      }
    });
  }, [address.hash]);
}

function NobodyYet() {
  return html`<${Empty} title="Who is watching?">
    <p>Rate films yourself, add friends by the address that they send you, or rate a few films here for them.</p>
  <//>`;
}

export default function MovieNight({ address }) {
  const { userId, ratings, ready } = usePerson();
  const { people, add, remove, replace } = usePeople();
  const [withMe, setWithMe] = useState(true);
  const [vetoed, setVetoed] = useState([]);
  const [dialog, setDialog] = useState(null); // { guest } or null
  const moves = useMoves();
  const mode = MODES.some(([name]) => name === address.query.get("mode")) ? address.query.get("mode") : "mean";
  const veto = Number(address.query.get("veto")) || null;
  const you = useMemo(() => (userId && ratings.size ? { name: "You", userId } : null), [userId, ratings.size > 0]);
  const guests = useMemo(() => [...(you && withMe ? [you] : []), ...people], [you, withMe, people]);
  const members = useMemo(() => (ready ? guests.map(memberOf) : []), [guests, ready]);
  const { list, failure, busy } = useList(members, { mode, veto }, vetoed);
  useArrival(address, add);

  function putVeto(film) {
    setVetoed((now) => [...now, film]);
    say(`${nameOf(film)} is out.`, { undo: () => setVetoed((now) => now.filter((one) => one !== film)) });
  }

  function guestDone(next) {
    try {
      if (dialog.guest) replace(dialog.guest, next);
      else add(next);
      setDialog(null);
    } catch (error) {
      say(error.message, { bad: true });
    }
  }

  return html`<div class="page night">
    <header>
      <h1>Movie night</h1>
      <p class="lead">One list for all of you, with everybody's stars.</p>
    </header>
    <section class="night-people" aria-label="Who comes">
      <${People} guests=${guests} you=${you} onRemove=${(one) => (one === you ? setWithMe(false) : remove(one))} onEdit=${(guest) => setDialog({ guest })} />
      ${you && !withMe && html`<button class="chip" onClick=${() => setWithMe(true)}>I come too</button>`}
      <${Invite} you=${you} onGuest=${() => setDialog({})} onAdd=${add} />
      <${Agreement} mode=${mode} veto=${veto} />
      ${vetoed.length > 0 && html`<p class="vetoed"><span class="quiet">Vetoed: ${vetoed.map(nameOf).join(", ")}.</span> <button class="link-button" onClick=${() => setVetoed([])}>Allow all again</button></p>`}
    </section>
    <section class="night-list" aria-label="What you could watch" aria-busy=${busy}>
      <h2 class="hidden">What you could watch</h2>
      ${failure && html`<${Failure} error=${failure} />`}
      ${ready && !members.length && html`<${NobodyYet} />`}
      ${list && !list.recommendations.length && html`<${Empty} title="No film is left"><p>${veto ? "Your limit leaves nothing that suits everybody." : "Everything is vetoed or seen."}</p>${veto && html`<button class="button" onClick=${() => setQuery({ veto: null })}>Drop the limit</button>`}<//>`}
      <ol class="night-films" ref=${moves}>
        ${(list?.recommendations ?? []).map(
          (film) => html`<li key=${film.movie_id} data-key=${film.movie_id}>${film.stars.length === guests.length && html`<${Night} film=${film} guests=${guests} onVeto=${putVeto} />`}</li>`,
        )}
      </ol>
    </section>
    ${dialog && html`<${GuestDialog} guest=${dialog.guest} number=${people.length + 1} onDone=${guestDone} onClose=${() => setDialog(null)} />`}
  </div>`;
}
