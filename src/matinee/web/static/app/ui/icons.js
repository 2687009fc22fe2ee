// Icons, drawn here: 24 x 24, one stroke. They say nothing by themselves; what they stand in has a name.
import { html } from "../html.js";

const STAR = "M12 3.2l2.7 5.6 6.1.8-4.5 4.3 1.1 6.1L12 17.1 6.6 20l1.1-6.1-4.5-4.3 6.1-.8z";
const PATHS = {
  star: STAR,
  ticket: "M3 8a1 1 0 011-1h16a1 1 0 011 1v2.3a1.8 1.8 0 000 3.4V16a1 1 0 01-1 1H4a1 1 0 01-1-1v-2.3a1.8 1.8 0 000-3.4zM14.5 7v10",
  search: "M10.5 4a6.5 6.5 0 110 13 6.5 6.5 0 010-13zM15.3 15.3L20.5 20.5",
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6L6 18",
  bookmark: "M7 4h10a1 1 0 011 1v15l-6-4.2L6 20V5a1 1 0 011-1z",
  hide: "M4 4l16 16M9.9 5.3A9.6 9.6 0 0112 5c5 0 8.5 4.5 9.5 7a13 13 0 01-2.8 4M6.2 7.2A13 13 0 002.5 12c1 2.5 4.5 7 9.5 7a9.4 9.4 0 004-.9",
  down: "M6 9l6 6 6-6",
  check: "M5 12.5l4.5 4.5L19 7.5",
  undo: "M9 14L4 9l5-5M4 9h10a6 6 0 010 12h-3",
  palette: "M12 3a9 9 0 100 18c1.5 0 2-.9 2-1.8 0-1.3-1-1.7-1-2.9 0-.9.7-1.3 1.6-1.3H17a4 4 0 004-4c0-4.5-4-8-9-8zM7.5 12h.01M9.5 7.8h.01M14.5 7.8h.01",
  people: "M9 11a3.5 3.5 0 100-7 3.5 3.5 0 000 7zM2.5 20c.3-3.6 2.7-6 6.5-6s6.2 2.4 6.5 6M16 4.3a3.5 3.5 0 010 6.4M18 14.4c2.2.8 3.3 2.9 3.5 5.6",
  external: "M14 4h6v6M20 4l-9 9M18 14v5a1 1 0 01-1 1H5a1 1 0 01-1-1V7a1 1 0 011-1h5",
};

// `filled` for what is switched on.
export function Icon({ name, filled = false }) {
  if (name === "brand") {
    return html`<svg class="icon brand-mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" class="brand-ground" />
      <path class="brand-star" d="M16 6l3 6.6 7.2.8-5.4 4.9 1.5 7.1L16 21.8l-6.3 3.6 1.5-7.1-5.4-4.9 7.2-.8z" />
    </svg>`;
  }
  return html`<svg class=${`icon ${filled ? "filled" : ""}`} viewBox="0 0 24 24" aria-hidden="true">
    <path d=${PATHS[name]} />
  </svg>`;
}
