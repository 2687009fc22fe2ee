// What the person told matinee: films to watch, films rated, films never to be suggested; each can be changed here.
import { html } from "../html.js";
import { setQuery } from "../router.js";
import { mark, rate, unrate, usePerson } from "../state.js";
import { FilmRow } from "../ui/card.js";
import { Empty } from "../ui/empty.js";
import { nameOf } from "../ui/film.js";
import { StarsInput } from "../ui/stars.js";
import { say } from "../ui/toast.js";

const VIEWS = { watchlist: "To watch", ratings: "Rated", notInterested: "Never suggested" };
const fail = (error) => say(error.message, { bad: true });

function Marked({ kind, film, word }) {
  const remove = () => {
    mark(kind, film, false).catch(fail);
    say(`${nameOf(film)} is off this list.`, { undo: () => mark(kind, film).catch(fail) });
  };
  return html`<${FilmRow} film=${film}><button class="button quiet" aria-label=${`${word}: ${nameOf(film)}`} onClick=${remove}>${word}</button><//>`;
}

function Rated({ film, stars }) {
  const give = (value) => (value === null ? unrate(film) : rate(film, value)).catch(fail);
  return html`<${FilmRow} film=${film}><${StarsInput} film=${film} value=${stars} onRate=${give} /><//>`;
}

export default function MyFilms({ address }) {
  const mine = usePerson();
  const view = address.query.get("view") in VIEWS ? address.query.get("view") : "watchlist";
  const rows = {
    watchlist: () => [...mine.watchlist].map(([id, film]) => html`<li key=${id}><${Marked} kind="watchlist" film=${film} word="Remove" /></li>`),
    ratings: () => [...mine.ratings].map(([id, { film, stars }]) => html`<li key=${id}><${Rated} film=${film} stars=${stars} /></li>`),
    notInterested: () => [...mine.notInterested].map(([id, film]) => html`<li key=${id}><${Marked} kind="notInterested" film=${film} word="Allow again" /></li>`),
  }[view]();
  return html`<div class="page narrow">
    <h1>Your films</h1>
    <div class="chips my-views" role="group" aria-label="Which films">
      ${Object.entries(VIEWS).map(
        ([name, label]) => html`<button key=${name} class="chip" data-state=${name === view ? "yes" : ""} aria-pressed=${name === view} onClick=${() => setQuery({ view: name })}>${label} (${mine[name].size})</button>`,
      )}
    </div>
    ${mine.ready && !rows.length && html`<${Empty} title="Nothing here yet"><p><a href="/for-you">See what is for you</a>, or <a href="/">rate films</a>.</p><//>`}
    <ul class="rows">${rows}</ul>
  </div>`;
}
