// Posters set in type: colour, figure and face follow from the genres, small differences from the film's id, so that a
// film always looks the same. Nothing is fetched for them.
import { html, useState } from "../html.js";
import { genresText, namesOf } from "./film.js";

// Which genre says most about how a film looks comes first; each has a hue, a figure, and a face for its title.
const LOOKS = {
  "Film-Noir": [260, "blinds", "serif"],
  Horror: [18, "slash", "caps"],
  "Sci-Fi": [275, "planet", "caps"],
  Western: [50, "sun", "caps"],
  Musical: [345, "rays", "serif"],
  Animation: [85, "dots", "caps"],
  Documentary: [210, "frame", "caps"],
  War: [120, "bars", "caps"],
  Fantasy: [305, "moon", "serif"],
  Mystery: [235, "arch", "serif"],
  Crime: [28, "diagonal", "caps"],
  Romance: [5, "rings", "serif"],
  Thriller: [195, "shutter", "caps"],
  Adventure: [155, "peaks", "caps"],
  Action: [40, "chevron", "caps"],
  Children: [95, "dots", "caps"],
  Comedy: [70, "arcs", "serif"],
  Drama: [250, "horizon", "serif"],
  IMAX: [225, "frame", "caps"],
};
const ORDER = Object.keys(LOOKS);
const WIDTHS = { caps: 0.43, serif: 0.56 }; // of a letter, in ems
const LEAST = 8;
const MOST = { caps: 31, serif: 22 };
const ROOM = { width: 82, area: 4600 }; // for the title, in hundredths of the poster's width

function hash(text) {
  let value = 2166136261;
  for (const letter of text) value = Math.imul(value ^ letter.codePointAt(0), 16777619);
  return value >>> 0;
}

// Letters as large as the longest word and the whole title allow.
function sizeOf(title, face) {
  const longest = Math.max(...title.split(/[\s-]+/).map((word) => word.length));
  const width = WIDTHS[face];
  const fitting = Math.min(ROOM.width / (width * longest), Math.sqrt(ROOM.area / (width * title.length)));
  return Math.max(LEAST, Math.min(MOST[face], fitting));
}

export function lookOf(film) {
  const genres = film.genres.filter((genre) => genre in LOOKS).sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
  const [hue, figure, face] = LOOKS[genres[0]] ?? [0, "horizon", "serif"];
  const seed = hash(String(film.movie_id));
  const second = genres[1] ? LOOKS[genres[1]][0] : hue + 150;
  return {
    figure,
    face,
    style: { "--hue": hue - 12 + (seed % 25), "--hue-2": second, "--at": (seed >> 5) % 100, "--turn": (seed >> 12) % 60 },
  };
}

// A picture that others made lies over the drawn poster once it is there; where there is none, the drawn one stays. Only
// where the service says so (web/posters.py).
const PICTURES = document.documentElement.dataset.posters;

function Picture({ film }) {
  const [state, setState] = useState("");
  if (state === "none") return null;
  return html`<img class=${`poster-picture ${state}`} src=${`/posters/${encodeURIComponent(film.movie_id)}`} alt="" loading="lazy" decoding="async" onLoad=${() => setState("there")} onError=${() => setState("none")} />`;
}

// `small`: colour and figure only, for rows whose text stands beside.
export function Poster({ film, small = false }) {
  const { figure, face, style } = lookOf(film);
  if (small) return html`<span class="poster small" data-figure=${figure} style=${style} aria-hidden="true"></span>`;
  const { main, sub } = namesOf(film);
  const shown = { ...style, "--size": sizeOf(main, face).toFixed(1) };
  return html`<span class="poster" data-figure=${figure} data-face=${face} style=${shown}>
    <span class="poster-words">
      <span class="poster-title">${main}</span>
      ${sub && html`<span class="poster-sub"> ${sub}</span>`}
    </span>
    <span class="poster-foot"><span> ${film.year ?? ""}</span><span>${genresText(film).split(", ").slice(0, 2).join(" · ")}</span></span>
    ${PICTURES && html`<${Picture} key=${film.movie_id} film=${film} />`}
  </span>`;
}
