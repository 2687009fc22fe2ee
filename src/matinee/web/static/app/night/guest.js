// Rating for a friend who has no device at hand: some films, found by their titles.
import { ask } from "../api.js";
import { html, useEffect, useState } from "../html.js";
import { Dialog } from "../ui/dialog.js";
import { nameOf } from "../ui/film.js";
import { useHits } from "../ui/search-box.js";
import { StarsInput } from "../ui/stars.js";

const SHOWN = 6;
const KNOWN = 8;

function usePopular() {
  const [films, setFilms] = useState([]);
  useEffect(() => void ask("/lists/popular", { query: { limit: KNOWN } }).then((answer) => setFilms(answer.movies)), []);
  return films;
}

// `guest`: whom to change, or null for somebody new. `onDone({ name, ratings })`.
export function GuestDialog({ guest, number, onDone, onClose }) {
  const [name, setName] = useState(guest?.name ?? `Friend ${number}`);
  const [text, setText] = useState("");
  const [ratings, setRatings] = useState(guest?.ratings ?? []);
  const popular = usePopular();
  const hits = useHits(text, SHOWN);
  const rated = ratings.filter((rating) => rating.film).map((rating) => rating.film);
  const offered = text.trim() ? (hits?.movies ?? []) : [...rated, ...popular.filter((film) => !rated.some((one) => one.movie_id === film.movie_id))];
  const starsOf = (film) => ratings.find((rating) => rating.movie_id === film.movie_id)?.stars ?? null;

  function give(film, stars) {
    const others = ratings.filter((rating) => rating.movie_id !== film.movie_id);
    setRatings(stars === null ? others : [{ movie_id: film.movie_id, stars, film }, ...others]);
  }

  function done(event) {
    event.preventDefault();
    onDone({ name: name.trim(), ratings });
  }

  return html`<${Dialog} title="Rate for a friend" onClose=${onClose}>
    <form class="guest" onSubmit=${done}>
      <label>Their name<input class="field" required maxlength="40" value=${name} onInput=${(event) => setName(event.target.value)} /></label>
      <label>Find films that they know<input class="field" type="search" maxlength="200" autocomplete="off" value=${text} onInput=${(event) => setText(event.target.value)} /></label>
      <ul class="guest-films">
        ${offered.map(
          (film) => html`<li key=${film.movie_id}>
            <span class="guest-name">${nameOf(film)} <span class="quiet">${film.year}</span></span>
            <${StarsInput} film=${film} label=${`${name}'s stars for ${nameOf(film)}`} value=${starsOf(film)} onRate=${(stars) => give(film, stars)} />
          </li>`,
        )}
      </ul>
      <div class="dialog-actions">
        <button type="button" class="button quiet" onClick=${onClose}>Cancel</button>
        <button class="button" disabled=${!ratings.length}>${ratings.length ? `Done, ${ratings.length} rated` : "Rate at least one"}</button>
      </div>
    </form>
  <//>`;
}
