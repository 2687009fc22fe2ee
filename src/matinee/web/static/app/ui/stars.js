// Stars to give, in halves: a slider for keyboards (arrows, Home, End, digits; Delete takes them back), a row of stars
// for mouse and finger.
import { html, useEffect, useRef, useState } from "../html.js";
import { givenText, nameOf } from "./film.js";

const MOST = 5;
const STEP = 0.5;
const SETTLED_MS = 600; // arrows pressed in a row are one rating

// `value`: stars or null. `onRate(stars)`; null takes the rating back.
export function StarsInput({ film, value, onRate, label }) {
  const [shown, setShown] = useState(null); // while pointing or choosing
  const timer = useRef(0);
  const pending = useRef(null);
  const now = shown ?? value ?? 0;

  useEffect(() => () => clearTimeout(timer.current), []);

  function give(stars) {
    clearTimeout(timer.current);
    pending.current = null;
    setShown(null);
    if (stars !== value) onRate(stars);
  }

  function choose(stars) {
    pending.current = Math.min(MOST, Math.max(STEP, stars));
    setShown(pending.current);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => give(pending.current), SETTLED_MS);
  }

  function pressed(event) {
    const by = { ArrowRight: STEP, ArrowUp: STEP, ArrowLeft: -STEP, ArrowDown: -STEP, PageUp: 1, PageDown: -1 }[event.key];
    if (by) choose((pending.current ?? value ?? 0) + by);
    else if (event.key === "Home") choose(STEP);
    else if (event.key === "End") choose(MOST);
    else if (/^[1-5]$/.test(event.key)) give(Number(event.key));
    else if (event.key === "Enter" && pending.current) give(pending.current);
    else if (["Delete", "Backspace"].includes(event.key) && value !== null) give(null);
    else return;
    event.preventDefault();
  }

  return html`<span class="stars-frame"><div
    class=${`stars-input ${shown !== null ? "choosing" : ""}`}
    role="slider"
    tabindex="0"
    aria-label=${label ?? `Your stars for ${nameOf(film)}`}
    aria-valuemin="0"
    aria-valuemax=${MOST}
    aria-valuenow=${now}
    aria-valuetext=${now ? givenText(now) : "not rated"}
    style=${{ "--part": `${(now / MOST) * 100}%` }}
    onPointerMove=${(event) => setShown(pointed(event))}
    onPointerLeave=${() => setShown(pending.current)}
    onPointerCancel=${() => setShown(pending.current)}
    onClick=${(event) => give(pointed(event))}
    onKeyDown=${pressed}
    onBlur=${() => pending.current && give(pending.current)}
  ></div></span>`;
}

function pointed(event) {
  const { left, width } = event.currentTarget.getBoundingClientRect();
  const part = (event.clientX - left) / width;
  return Math.min(MOST, Math.max(STEP, Math.ceil(part * MOST * 2) / 2));
}
