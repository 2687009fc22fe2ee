// One film: what it would be worth to the person and why, what if they had rated otherwise, how everybody rated it, and
// films like it.
import { ask, of } from "../api.js";
import { html, useEffect, useState } from "../html.js";
import { mark, person, rate, starsOf, unrate, usePerson } from "../state.js";
import { FilmCard, Predicted } from "../ui/card.js";
import { Failure } from "../ui/empty.js";
import { genresText, givenText, nameOf, percentText, ratingsText, starsText, titleOf } from "../ui/film.js";
import { Icon } from "../ui/icons.js";
import { Poster } from "../ui/poster.js";
import { StarsInput } from "../ui/stars.js";
import { say } from "../ui/toast.js";

const SIMILAR = 12;

function useAnswer(question, reasons) {
  const [answer, setAnswer] = useState(null);
  const [failure, setFailure] = useState(null);
  useEffect(() => {
    let stale = false;
    Promise.resolve(question()).then((found) => !stale && setAnswer(found), (error) => !stale && setFailure(error));
    return () => {
      stale = true;
    };
  }, reasons);
  return [answer, failure];
}

function Bar({ label, value, most, quiet = false }) {
  const part = most ? (Math.abs(value) / most) * 100 : 0;
  return html`<li class=${`reason ${quiet ? "quiet" : ""}`}>
    <span class="reason-name">${label}</span>
    <span class=${`reason-bar ${value < 0 ? "less" : ""}`} style=${{ "--part": `${part}%` }} aria-hidden="true"></span>
    <span class="reason-value">${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}</span>
  </li>`;
}

// Bars that sum to the score: where everybody starts, what single ratings add, and the rest of them together.
function Reasons({ why }) {
  const parts = [why.base, why.because_rest, ...why.because.map(({ contribution }) => contribution)];
  const most = Math.max(...parts.map(Math.abs));
  return html`<section aria-labelledby="why-title">
    <h2 id="why-title">Why</h2>
    <p class="quiet">What each of your ratings adds. Together they are the film's score, ${why.score.toFixed(3)}: place ${why.rank} of all that you have not rated.</p>
    <ul class="reasons">
      ${why.base !== 0 && html`<${Bar} label="Before any rating of yours" value=${why.base} most=${most} quiet />`}
      ${why.because.map((one) => html`<${Bar} key=${one.movie_id} label=${`${titleOf(one.title)} (${percentText(one.share)})`} value=${one.contribution} most=${most} />`)}
      <${Bar} label="All your other ratings" value=${why.because_rest} most=${most} quiet />
    </ul>
  </section>`;
}

function WhatIf({ film, why }) {
  const rated = why.because.filter((one) => person.ratings.has(String(one.movie_id)));
  const [id, setId] = useState(null);
  const chosen = rated.find((one) => String(one.movie_id) === id) ?? rated[0];
  const given = chosen && person.ratings.get(String(chosen.movie_id)).stars;
  const [stars, setStars] = useState(null);
  const supposed = stars ?? given;
  const query = { what_if: chosen && `${chosen.movie_id}:${supposed}` };
  const [changed] = useAnswer(
    () => chosen && stars !== null && ask(of(person.userId, "explanations", film.movie_id), { query }),
    [chosen?.movie_id, stars],
  );
  if (!chosen) return null;
  const choose = (event) => {
    setId(event.target.value);
    setStars(null);
  };
  return html`<section class="what-if" aria-labelledby="what-if-title">
    <h2 id="what-if-title">What if</h2>
    <label>you had given
      <select class="field" value=${String(chosen.movie_id)} onChange=${choose}>
        ${rated.map((one) => html`<option key=${one.movie_id} value=${one.movie_id}>${titleOf(one.title)}</option>`)}
      </select>
    </label>
    <label>${givenText(supposed)}${supposed === given ? ", as you did" : ""}
      <input type="range" min="0.5" max="5" step="0.5" value=${supposed} onInput=${(event) => setStars(Number(event.target.value))} />
    </label>
    <p role="status">${changed ? `Score ${changed.score.toFixed(3)} instead of ${why.score.toFixed(3)}: place ${changed.rank} instead of ${why.rank}.` : "Move the slider to see what would change."}</p>
  </section>`;
}

function Histogram({ counts }) {
  const most = Math.max(1, ...counts.histogram.map(({ count }) => count));
  return html`<section aria-labelledby="everybody-title">
    <h2 id="everybody-title">Everybody</h2>
    <p class="quiet">${ratingsText(counts.ratings_count)}${counts.ratings_mean !== null && html`, ${starsText(counts.ratings_mean)} stars on average`}</p>
    <ul class="histogram">
      ${counts.histogram.map(
        ({ stars, count }) => html`<li key=${stars}>
          <span class="histogram-bar" style=${{ "--part": `${(count / most) * 100}%` }} aria-hidden="true"></span>
          <span aria-hidden="true">${Number.isInteger(stars) ? stars : ""}</span>
          <span class="hidden">${givenText(stars)}: ${ratingsText(count)}</span>
        </li>`,
      )}
    </ul>
  </section>`;
}

function Mine({ film }) {
  const { userId, ratings, watchlist } = usePerson();
  const stars = starsOf(film);
  const [prediction] = useAnswer(() => userId && ask(of(userId, "predictions", film.movie_id)), [userId, ratings]);
  const wanted = watchlist.has(String(film.movie_id));
  const give = (value) => (value === null ? unrate(film) : rate(film, value)).catch((error) => say(error.message, { bad: true }));
  return html`<div class="mine">
    ${prediction && html`<p>For you: <${Predicted} film=${prediction} /></p>`}
    <div class="mine-row">
      <${StarsInput} film=${film} value=${stars} onRate=${give} />
      <span class="quiet">${stars ? `You gave ${givenText(stars)}` : "Seen it? Give stars."}</span>
    </div>
    <button class="button quiet" aria-pressed=${wanted} onClick=${() => mark("watchlist", film, !wanted)}>
      <${Icon} name="bookmark" filled=${wanted} />${wanted ? "On your watchlist" : "Want to watch"}
    </button>
  </div>`;
}

function Elsewhere({ film }) {
  return html`<p class="elsewhere">
    ${film.imdb_id && html`<a href=${`https://www.imdb.com/title/tt${film.imdb_id}/`} rel="noreferrer" target="_blank">IMDb<${Icon} name="external" /></a>`}
    ${film.tmdb_id && html`<a href=${`https://www.themoviedb.org/movie/${film.tmdb_id}`} rel="noreferrer" target="_blank">TMDb<${Icon} name="external" /></a>`}
  </p>`;
}

export default function FilmPage({ params }) {
  const path = `/movies/${encodeURIComponent(params.id)}`;
  const { userId, ready, ratings } = usePerson();
  const [film, failure] = useAnswer(() => ask(path), [path]);
  const [counts] = useAnswer(() => ask(`${path}/histogram`), [path]);
  const [like] = useAnswer(() => ask(`${path}/similar`, { query: { limit: SIMILAR } }), [path]);
  const knows = ready && userId && ratings.size > 0;
  const [why] = useAnswer(() => knows && ask(of(userId, "explanations", params.id)), [path, knows, ratings]);
  useEffect(() => void (film && (document.title = `${nameOf(film)} · matinee`)), [film]);
  if (failure) return html`<div class="page narrow"><h1>Film</h1><${Failure} error=${failure} /></div>`;
  if (!film) return html`<div class="page" aria-busy="true"></div>`;
  return html`<div class="page film">
    <div class="film-top">
      <div class="film-poster"><${Poster} film=${film} /></div>
      <div>
        <h1>${nameOf(film)}</h1>
        <p class="lead">${[film.year, genresText(film)].filter(Boolean).join(" · ")}</p>
        <${Mine} film=${film} />
        <${Elsewhere} film=${film} />
        ${counts && html`<${Histogram} counts=${counts} />`}
      </div>
    </div>
    ${why && html`<div class="film-why"><${Reasons} why=${why} /><${WhatIf} film=${film} why=${why} /></div>`}
    ${like?.similar.length > 0 &&
    html`<section aria-labelledby="like-title">
      <h2 id="like-title">Films like it</h2>
      <div class="wall">${like.similar.map((one) => html`<${FilmCard} key=${one.movie_id} film=${one} />`)}</div>
    </section>`}
  </div>`;
}
