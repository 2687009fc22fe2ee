// Search: films by title as one types, typing errors forgiven, stars to give at once; the address holds the words.
import { html, useEffect, useRef, useState } from "../html.js";
import { setQuery } from "../router.js";
import { rate, starsOf, unrate, usePerson } from "../state.js";
import { Facts, FilmCard } from "../ui/card.js";
import { Empty } from "../ui/empty.js";
import { useHits } from "../ui/search-box.js";
import { StarsInput } from "../ui/stars.js";

const FOUND = 48;

export default function Search({ address }) {
  const wanted = address.query.get("q") ?? "";
  const [text, setText] = useState(wanted);
  const field = useRef();
  const hits = useHits(text, FOUND);
  usePerson();
  useEffect(() => field.current.focus(), []);
  useEffect(() => void (wanted !== text && setText(wanted)), [wanted]); // the way back, and the box above

  function typed(event) {
    setText(event.target.value);
    setQuery({ q: event.target.value.trim() }, { replace: true });
  }

  const give = (film, stars) => (stars === null ? unrate(film) : rate(film, stars));
  return html`<div class="page">
    <h1>Find a film</h1>
    <p class="lead">A few letters are enough, and typing errors are forgiven.</p>
    <input ref=${field} class="field search-page-field" type="search" maxlength="200" aria-label="Title of a film" value=${text} onInput=${typed} />
    <p class="quiet" role="status">${hits ? `${hits.movies.length === FOUND ? "The best " : ""}${hits.movies.length} films for “${hits.text}”` : " "}</p>
    ${hits && !hits.movies.length && html`<${Empty} title="No such film"><p>Try fewer or other words of its title.</p><//>`}
    <div class="wall">
      ${hits?.movies.map(
        (film) => html`<${FilmCard} key=${film.movie_id} film=${film}>
          <${StarsInput} film=${film} value=${starsOf(film)} onRate=${(stars) => give(film, stars)} />
          <${Facts} film=${film} />
        <//>`,
      )}
    </div>
  </div>`;
}
