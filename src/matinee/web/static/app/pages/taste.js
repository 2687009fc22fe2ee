// Your taste: where your films lie, what you like more than others do, what surprised the model, what would help it.
import { ask, of } from "../api.js";
import { html, useMemo, useState } from "../html.js";
import { rate, setNotSeen, starsOf, unrate, usePerson } from "../state.js";
import { useAnswer } from "../ui/answer.js";
import { FilmCard } from "../ui/card.js";
import { Empty, Failure } from "../ui/empty.js";
import { addressOf, givenText, nameOf, starsText } from "../ui/film.js";
import { FilmMap } from "../ui/film-map.js";
import { Poster } from "../ui/poster.js";
import { StarsInput } from "../ui/stars.js";
import { say } from "../ui/toast.js";

const ON_MAP = 600;
const ASKED = 6;
const GENRES = 12;
const FEW = 5; // ratings; below, numbers about somebody are noise

const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;

function Likings({ title, likings, note }) {
  const low = Math.min(0, ...likings.map((one) => one.liking));
  const span = Math.max(0.5, Math.max(0, ...likings.map((one) => one.liking)) - low);
  const zero = `${(-low / span) * 100}%`;
  return html`<section class="panel" aria-label=${title}>
    <h2>${title}</h2>
    <p class="quiet">${note}</p>
    <ul class="likings">
      ${likings.map(({ name, rated, mean, liking }) => {
        const wide = `${(Math.abs(liking) / span) * 100}%`;
        return html`<li key=${name}>
          <span class="liking-name">${name}</span>
          <span class="liking-bar" aria-hidden="true" style=${{ "--zero": zero }}><span class=${liking < 0 ? "less" : "more"} style=${{ width: wide }}></span></span>
          <span class="liking-value"><span class="hidden">compared with others: </span>${signed(liking)}</span>
          <span class="liking-rated quiet">${rated} rated, ${starsText(mean)} on average</span>
        </li>`;
      })}
    </ul>
  </section>`;
}

function Histogram({ steps, mean, everybody }) {
  const most = Math.max(1, ...steps.map((step) => step.count));
  return html`<section class="panel" aria-label="Your stars">
    <h2>Your stars</h2>
    <p class="quiet">You give ${starsText(mean)} on average; everybody gives the same films ${starsText(everybody)}.</p>
    <ol class="columns">
      ${steps.map(
        ({ stars, count }) => html`<li key=${stars}>
          <span class="column-count" aria-hidden="true">${count || ""}</span>
          <span class="column" aria-hidden="true" style=${{ height: `${(count / most) * 100}%` }}></span>
          <span class="column-name" aria-hidden="true">${stars % 1 ? "" : stars}</span>
          <span class="hidden">${givenText(stars)}: ${count}</span>
        </li>`,
      )}
    </ol>
  </section>`;
}

function knowing({ ratings, error, error_of_average: average }) {
  if (ratings < FEW || error === null) return `${ratings === 1 ? "One rating says" : `${ratings} ratings say`} little yet. From ${FEW} on, this shows how far off the model is.`;
  const off = `Guessing each of your ratings from all the others, the model is off by ${error.toFixed(2)} stars`;
  const better = 1 - error / average;
  if (better > 0.02) return `${off}; going by everybody's average would be off by ${average.toFixed(2)}.`;
  return `${off}, no better than everybody's average (${average.toFixed(2)}). More ratings will help, above all of films that split opinions.`;
}

function Known({ taste }) {
  const { ratings, error, error_of_average: average } = taste;
  const shown = ratings >= FEW && error !== null;
  const most = Math.max(error, average);
  return html`<section class="panel" aria-label="How well the model knows you">
    <h2>How well the model knows you</h2>
    <p>${knowing(taste)}</p>
    ${shown &&
    html`<dl class="meters">
      ${[["The model", error], ["Everybody's average", average]].map(
        ([name, value]) => html`<div key=${name}>
          <dt>${name}</dt>
          <dd><span class="meter" aria-hidden="true"><span style=${{ width: `${(value / most) * 100}%` }}></span></span>${value.toFixed(2)} stars off</dd>
        </div>`,
      )}
    </dl>`}
  </section>`;
}

function Surprises({ surprises }) {
  return html`<section class="panel" aria-label="Your most surprising ratings">
    <h2>Your most surprising ratings</h2>
    <p class="quiet">What the model would not have guessed from everything else you rated.</p>
    <ol class="surprises">
      ${surprises.map(
        (film) => html`<li key=${film.movie_id}>
          <${Poster} film=${film} small />
          <span class="surprise-words">
            <a href=${addressOf(film)}>${nameOf(film)}</a> <span class="quiet">${film.year}</span><br />
            <span class="quiet">you gave it ${givenText(film.stars)}, expected ${starsText(film.expected)}</span>
          </span>
          <span class=${`surprise-by ${film.stars < film.expected ? "less" : "more"}`}>${signed(film.stars - film.expected)}</span>
        </li>`,
      )}
    </ol>
  </section>`;
}

function Asked({ userId, turn, onRated }) {
  const { notSeen } = usePerson();
  const { answer, failure } = useAnswer(() => ask(of(userId, "onboarding"), { query: { limit: ASKED, not_seen: [...notSeen].slice(-1000) } }), [turn, notSeen.size]);
  async function give(film, stars) {
    await rate(film, stars);
    onRated();
    say(`${nameOf(film)}: ${givenText(stars)}.`, { undo: () => unrate(film).then(onRated) });
  }
  return html`<section aria-labelledby="asked-title">
    <h2 id="asked-title">Ratings that would help most</h2>
    <p class="quiet">You have probably seen these, and what you think of them says a lot.</p>
    ${failure && html`<${Failure} error=${failure} />`}
    <div class="asked">
      ${(answer?.movies ?? []).map(
        (film) => html`<${FilmCard} key=${film.movie_id} film=${film}>
          <${StarsInput} film=${film} value=${starsOf(film)} onRate=${(stars) => stars && give(film, stars)} />
          <button class="link-button" aria-label=${`Haven't seen ${nameOf(film)}`} onClick=${() => setNotSeen(film)}>Haven't seen it</button>
        <//>`,
      )}
    </div>
  </section>`;
}

function Profile({ taste }) {
  const genres = useMemo(() => [...taste.genres].sort((a, b) => b.rated - a.rated).slice(0, GENRES).sort((a, b) => b.liking - a.liking), [taste]);
  const decades = useMemo(() => taste.decades.map((one) => ({ ...one, name: `${one.name}s` })).sort((a, b) => (a.name < b.name ? 1 : -1)), [taste]);
  return html`<div class="panels">
    <${Known} taste=${taste} />
    <${Histogram} steps=${taste.histogram} mean=${taste.mean} everybody=${taste.everybody} />
    <${Likings} title="Genres" likings=${genres} note="Stars that you give above or below everybody; few ratings count little." />
    <${Likings} title="Decades" likings=${decades} note="The same by when films came out." />
    ${taste.surprises.length > 0 && html`<${Surprises} surprises=${taste.surprises} />`}
  </div>`;
}

export default function Taste() {
  const { userId, ready, ratings } = usePerson();
  const [turn, setTurn] = useState(0);
  const places = useAnswer(() => ask("/map", { query: { limit: ON_MAP } }), []);
  const rated = ready && ratings.size > 0;
  const { answer: taste, failure } = useAnswer(() => (rated ? ask(of(userId, "taste")) : undefined), [rated, turn]);
  return html`<div class="page taste">
    <h1>Your taste</h1>
    <p class="lead">Films close to each other please the same people. ${ratings.size ? "Yours shine." : ""}</p>
    ${places.failure && html`<${Failure} error=${places.failure} />`}
    ${places.answer?.movies.length ? html`<${FilmMap} films=${places.answer.movies} starsOf=${starsOf} />` : html`<div class="map"><div class="map-frame" aria-busy="true"></div></div>`}
    ${failure && html`<${Failure} error=${failure} />`}
    ${ready && !rated && html`<${Empty} title="Nothing is known of you yet"><p>Rate some films, and this page says what you like and how well the model knows you.</p><a class="button" href="/">Rate films</a><//>`}
    ${taste && rated && html`<${Profile} taste=${taste} />`}
    ${(taste || failure) && rated && html`<${Asked} userId=${userId} turn=${turn} onRated=${() => setTurn((now) => now + 1)} />`}
  </div>`;
}
