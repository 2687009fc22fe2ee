// Why a film gets the score that it gets, as bars that sum to it, and what it would get had one rated otherwise.
import { ask, of } from "../api.js";
import { html, useState } from "../html.js";
import { person, starsOf } from "../state.js";
import { useAnswer } from "../ui/answer.js";
import { givenText, percentText, titleOf } from "../ui/film.js";

const SHOWN = 8; // ratings with a bar of their own

const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
const sum = (reasons) => reasons.reduce((total, { contribution }) => total + contribution, 0);

function Bar({ label, note, value, most, quiet = false }) {
  const part = most ? (Math.abs(value) / most) * 100 : 0;
  return html`<li class=${`reason ${quiet ? "quiet" : ""}`}>
    <span class="reason-name">${label}${note && html` <span class="quiet">${note}</span>`}</span>
    <span class=${`reason-bar ${value < 0 ? "less" : ""}`} style=${{ "--part": `${part}%` }} aria-hidden="true"></span>
    <span class="reason-value">${signed(value)}</span>
  </li>`;
}

function standing(film, why) {
  if (starsOf(film) !== null) return "You rated it, so it is on no list of yours.";
  return why.rank === 1 ? "Of all that you have not rated, none has more." : `Of all that you have not rated, ${(why.rank - 1).toLocaleString("en")} ${why.rank === 2 ? "has" : "have"} more.`;
}

// Where everybody starts, what the weightiest ratings add, and the rest of them together.
export function Reasons({ film, why }) {
  const [all, setAll] = useState(false);
  const own = all ? why.because : why.because.slice(0, SHOWN);
  const others = why.because.slice(own.length);
  const rest = sum(others) + why.because_rest;
  const most = Math.max(...[why.base, rest, ...own.map((one) => one.contribution)].map(Math.abs));
  return html`<section aria-labelledby="why-title">
    <h2 id="why-title">Why</h2>
    <p class="quiet">What each of your ratings adds or takes. Together they are the film's score, ${why.score.toFixed(3)}. ${standing(film, why)}</p>
    <ul class="reasons">
      ${why.base !== 0 && html`<${Bar} label="Before any rating of yours" value=${why.base} most=${most} quiet />`}
      ${own.map((one) => html`<${Bar} key=${one.movie_id} label=${titleOf(one.title)} note=${percentText(one.share)} value=${one.contribution} most=${most} />`)}
      ${others.length > 0 && html`<${Bar} label=${others.length === 1 ? "One more rating" : `${others.length} more ratings`} value=${rest} most=${most} quiet />`}
    </ul>
    ${why.because.length > SHOWN && html`<button class="link-button" aria-expanded=${all} onClick=${() => setAll(!all)}>${all ? "Show the weightiest only" : "Show every rating"}</button>`}
  </section>`;
}

function outcome(film, why, changed) {
  if (!changed) return "Move the slider to see what would change.";
  const scores = `Its score would be ${changed.score.toFixed(3)} instead of ${why.score.toFixed(3)}`;
  if (starsOf(film) !== null) return `${scores}.`;
  return changed.rank === why.rank ? `${scores}, its place the same: ${why.rank}.` : `${scores}, its place ${changed.rank} instead of ${why.rank}.`;
}

export function WhatIf({ film, why }) {
  const rated = why.because.filter((one) => person.ratings.has(String(one.movie_id)));
  const [id, setId] = useState(null);
  const [stars, setStars] = useState(null);
  const chosen = rated.find((one) => String(one.movie_id) === id) ?? rated[0];
  const given = chosen && person.ratings.get(String(chosen.movie_id)).stars;
  const supposed = stars ?? given;
  const supposing = { query: { what_if: `${chosen?.movie_id}:${supposed}` } };
  const { answer: changed } = useAnswer(
    () => (stars === null ? null : ask(of(person.userId, "explanations", film.movie_id), supposing)),
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
    <label><span><strong>${givenText(supposed)}</strong>${supposed === given ? ", as you did" : `, not ${given}?`}</span>
      <input type="range" min="0.5" max="5" step="0.5" value=${supposed} aria-valuetext=${givenText(supposed)} onInput=${(event) => setStars(Number(event.target.value))} />
    </label>
    <p role="status">${outcome(film, why, changed)}</p>
  </section>`;
}
