// A film as a card: its poster is the link, what can be done with it stands below.
import { html } from "../html.js";
import { addressOf, genresText, likely, nameOf, ratingsText, starsText } from "./film.js";
import { Icon } from "./icons.js";
import { Poster } from "./poster.js";

export function FilmCard({ film, children, className = "" }) {
  return html`<article class=${`card ${className}`}>
    <a class="card-poster" href=${addressOf(film)} aria-label=${nameOf(film) + (film.year ? `, ${film.year}` : "")}>
      <${Poster} film=${film} />
    </a>
    ${children && html`<div class="card-body">${children}</div>`}
  </article>`;
}

// Predicted stars: the number large, how far it may be off beside it.
export function Predicted({ film }) {
  const range = likely(film);
  return html`<span class="predicted">
    <span class="predicted-stars"><${Icon} name="star" filled /><span class="hidden">Predicted stars: </span>${starsText(film.stars)}</span>${range && html`<span class="quiet">, ${range}</span>`}
  </span>`;
}

// A film as a row of a list: place, colour, name, what is predicted.
export function FilmRow({ film, rank, children }) {
  return html`<div class="row">
    ${rank && html`<span class="row-rank">${rank}</span>`}
    <${Poster} film=${film} small />
    <div class="row-words">
      <a href=${addressOf(film)}>${nameOf(film)}</a> ${film.year && html`<span class="quiet">${film.year}</span>`}
      <div class="row-facts quiet">${genresText(film)}</div>
    </div>
    <div class="row-end">${children}</div>
  </div>`;
}

export function Facts({ film }) {
  return html`<p class="facts quiet">${genresText(film)}<span>${ratingsText(film.ratings_count)}</span></p>`;
}
