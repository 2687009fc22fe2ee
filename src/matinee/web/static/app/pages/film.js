// One film: what it would be worth to the person and why, what if they had rated otherwise, how everybody rated it, and
// films like it.
import { ask, of } from "../api.js";
import { Everybody } from "../film/everybody.js";
import { Reasons, WhatIf } from "../film/why.js";
import { html, useEffect, useRef } from "../html.js";
import { mark, rate, starsOf, unrate, usePerson } from "../state.js";
import { useAnswer } from "../ui/answer.js";
import { FilmCard, Predicted } from "../ui/card.js";
import { Failure } from "../ui/empty.js";
import { genresText, givenText, nameOf } from "../ui/film.js";
import { Icon } from "../ui/icons.js";
import { Poster } from "../ui/poster.js";
import { StarsInput } from "../ui/stars.js";
import { say } from "../ui/toast.js";

const SIMILAR = 12;
const fail = (error) => say(error.message, { bad: true });

function Mine({ film, prediction }) {
  const { watchlist, notInterested } = usePerson();
  const stars = starsOf(film);
  const [wanted, hidden] = [watchlist, notInterested].map((films) => films.has(String(film.movie_id)));
  const give = (value) => (value === null ? unrate(film) : rate(film, value)).catch(fail);
  const put = (kind, on) => mark(kind, film, on).catch(fail);
  return html`<div class="film-mine">
    ${stars === null && prediction && html`<p class="film-predicted"><${Predicted} film=${prediction} /> <span class="quiet">for you</span></p>`}
    <div class="mine-row">
      <${StarsInput} film=${film} value=${stars} onRate=${give} />
      <span class="quiet">${stars ? `You gave ${givenText(stars)}` : "Seen it? Give stars."}</span>
    </div>
    <div class="chips">
      <button class="chip" aria-pressed=${wanted} onClick=${() => put("watchlist", !wanted)}><${Icon} name="bookmark" filled=${wanted} />${wanted ? "On your watchlist" : "Want to watch"}</button>
      <button class="chip" aria-pressed=${hidden} onClick=${() => put("notInterested", !hidden)}><${Icon} name="hide" />${hidden ? "Never suggested" : "Not interested"}</button>
    </div>
  </div>`;
}

function Elsewhere({ film }) {
  if (!film.imdb_id && !film.tmdb_id) return null;
  return html`<p class="elsewhere">
    ${film.imdb_id && html`<a href=${`https://www.imdb.com/title/tt${film.imdb_id}/`} rel="noreferrer" target="_blank">IMDb<${Icon} name="external" /></a>`}
    ${film.tmdb_id && html`<a href=${`https://www.themoviedb.org/movie/${film.tmdb_id}`} rel="noreferrer" target="_blank">TMDb<${Icon} name="external" /></a>`}
  </p>`;
}

function useFilm(id) {
  const path = `/movies/${encodeURIComponent(id)}`;
  const { userId, ready, ratings } = usePerson();
  const knows = ready && userId !== null && ratings.size > 0;
  const theirs = (what) => (ready ? (knows ? ask(of(userId, what, id)) : null) : undefined);
  return {
    film: useAnswer(() => ask(path), []),
    counts: useAnswer(() => ask(`${path}/histogram`), []),
    like: useAnswer(() => ask(`${path}/similar`, { query: { limit: SIMILAR } }), []),
    why: useAnswer(() => theirs("explanations"), [ready, knows, ratings]),
    prediction: useAnswer(() => theirs("predictions"), [ready, knows, ratings]),
  };
}

export default function FilmPage({ params }) {
  const asked = useFilm(params.id);
  const [film, counts, like, why, prediction] = ["film", "counts", "like", "why", "prediction"].map((name) => asked[name].answer);
  const { failure } = asked.film;
  const shown = useRef(false); // all at once, so that nothing jumps; what changes later changes in its place
  shown.current ||= Object.values(asked).every(({ waiting }) => !waiting);
  useEffect(() => void (film && (document.title = `${nameOf(film)} · matinee`)), [film]);
  if (failure) return html`<div class="page narrow"><h1>Film</h1><${Failure} error=${failure} /></div>`;
  if (!shown.current) return html`<div class="page film-waiting" aria-busy="true"></div>`;
  return html`<div class="page film">
    <div class="film-top">
      <div class="film-poster"><${Poster} film=${film} /></div>
      <div class="film-words">
        <h1>${nameOf(film)}</h1>
        <p class="lead">${[film.year, genresText(film)].filter(Boolean).join(" · ")}</p>
        <${Mine} film=${film} prediction=${prediction} />
        <${Elsewhere} film=${film} />
        ${counts && html`<${Everybody} counts=${counts} />`}
      </div>
    </div>
    ${why && html`<div class="film-why"><${Reasons} film=${film} why=${why} /><${WhatIf} film=${film} why=${why} /></div>`}
    ${like?.similar.length > 0 &&
    html`<section aria-labelledby="like-title">
      <h2 id="like-title">Films like it</h2>
      <div class="wall">${like.similar.map((one) => html`<${FilmCard} key=${one.movie_id} film=${one} />`)}</div>
    </section>`}
  </div>`;
}
