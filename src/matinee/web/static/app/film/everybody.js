// How everybody rated a film.
import { html } from "../html.js";
import { givenText, ratingsText, starsText } from "../ui/film.js";

// `counts`: as /movies/{id}/histogram answers.
export function Everybody({ counts }) {
  const most = Math.max(1, ...counts.histogram.map(({ count }) => count));
  return html`<section class="everybody" aria-labelledby="everybody-title">
    <h2 id="everybody-title">Everybody</h2>
    <p class="quiet">${ratingsText(counts.ratings_count)}${counts.ratings_mean !== null && html`, ${starsText(counts.ratings_mean)} stars on average`}</p>
    <ul class="histogram">
      ${counts.histogram.map(
        ({ stars, count }) => html`<li key=${stars}>
          <span class="histogram-bar" style=${{ "--part": `${(count / most) * 100}%` }} aria-hidden="true"></span>
          <span class="quiet" aria-hidden="true">${Number.isInteger(stars) ? stars : ""}</span>
          <span class="hidden">${givenText(stars)}: ${ratingsText(count)}</span>
        </li>`,
      )}
    </ul>
  </section>`;
}
