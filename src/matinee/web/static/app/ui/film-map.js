// A map of films: those that please the same people lie close to each other. Drawn on a canvas; moved by mouse, fingers or
// keys; what is in view stands in a table too.
import { boundsOf, bring, clear, nearest, pan, project, towards, whole, zoomAt } from "../chart/view.js";
import { html, useEffect, useMemo, useRef, useState } from "../html.js";
import { go } from "../router.js";
import { addressOf, genresText, givenText, nameOf, ratingsText } from "./film.js";
import { lookOf } from "./poster.js";

const STEP = 1.6; // of one press of a zoom button
const PANNED = 60; // pixels by Shift and an arrow
const LISTED = 40;
const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

const radiusOf = (film) => 2.2 + Math.sqrt(film.ratings_count / film.most) * 6;

function colours(element) {
  const style = getComputedStyle(element);
  const dark = style.colorScheme === "dark" || (style.colorScheme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  // The canvas takes no light-dark(): colours are read off properties that browsers have resolved (further.css).
  return { ink: style.color, gold: style.caretColor, surface: style.backgroundColor, accent: style.outlineColor, dark, sans: style.fontFamily };
}

function drawDots(pen, view, films, starsOf, tones) {
  for (const film of films) {
    const [x, y] = project(view, film);
    const stars = starsOf(film);
    pen.beginPath();
    pen.arc(x, y, radiusOf(film) * Math.min(1.8, view.times ** 0.25), 0, 7);
    pen.globalAlpha = stars === null ? 0.55 : 1;
    pen.fillStyle = stars === null ? `oklch(${tones.dark ? ".68 .1" : ".62 .11"} ${film.hue})` : tones.gold;
    pen.fill();
    if (stars !== null) {
      pen.strokeStyle = tones.ink;
      pen.lineWidth = 1.5;
      pen.stroke();
    }
  }
  pen.globalAlpha = 1;
}

function drawNames(pen, view, films, starsOf, tones, size) {
  pen.font = `550 12px ${tones.sans}`;
  pen.textBaseline = "middle";
  const most = Math.round((size.width * size.height) / 14_000);
  const wanted = films
    .map((film) => ({ film, at: project(view, film) }))
    .filter(({ at: [x, y] }) => x > 0 && y > 0 && x < size.width && y < size.height)
    .sort((a, b) => (starsOf(b.film) !== null) - (starsOf(a.film) !== null) || b.film.ratings_count - a.film.ratings_count)
    .slice(0, most * 4)
    .map(({ film, at: [x, y] }) => {
      const name = nameOf(film);
      const text = name.length > 28 ? `${name.slice(0, 26)}…` : name;
      const wide = pen.measureText(text).width;
      const left = x + 12 + wide > size.width ? x - wide - 10 : x + 10;
      return { text, x: left, y, left: left - 3, right: left + wide + 3, top: y - 9, bottom: y + 9 };
    });
  pen.lineWidth = 3;
  pen.lineJoin = "round";
  pen.strokeStyle = tones.surface;
  pen.fillStyle = tones.ink;
  for (const { text, x, y } of clear(wanted).slice(0, most)) {
    pen.strokeText(text, x, y);
    pen.fillText(text, x, y);
  }
}

function draw(canvas, view, films, starsOf, active, size) {
  const density = devicePixelRatio;
  canvas.width = Math.round(size.width * density);
  canvas.height = Math.round(size.height * density);
  const pen = canvas.getContext("2d");
  const tones = colours(canvas);
  pen.scale(density, density);
  const given = films.filter((film) => starsOf(film) !== null);
  drawDots(pen, view, films.filter((film) => starsOf(film) === null), starsOf, tones);
  drawDots(pen, view, given, starsOf, tones);
  drawNames(pen, view, films, starsOf, tones, size);
  if (!active) return;
  const [x, y] = project(view, active);
  pen.beginPath();
  pen.arc(x, y, radiusOf(active) + 6, 0, 7);
  pen.strokeStyle = tones.accent;
  pen.lineWidth = 3;
  pen.stroke();
}

// Size of an element, followed as it changes.
function useSize(ref) {
  const [size, setSize] = useState(null);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setSize({ width: entry.contentRect.width, height: entry.contentRect.height }));
    watch.observe(ref.current);
    return () => watch.disconnect();
  }, []);
  return size;
}

// Counts up when colours change: by the menu, or by the system.
function useTheme() {
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const again = () => setTurn((now) => now + 1);
    const watch = new MutationObserver(again);
    watch.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", again);
    document.fonts.ready.then(again);
    return () => {
      watch.disconnect();
      system.removeEventListener("change", again);
    };
  }, []);
  return turn;
}

function Tip({ film, stars, view, size }) {
  const [x, y] = project(view, film);
  const style = { left: `${Math.min(Math.max(x, 110), size.width - 110)}px`, top: `${y}px` };
  return html`<div class=${`map-tip ${y < 110 ? "below" : ""}`} style=${style} aria-hidden="true">
    <strong>${nameOf(film)}</strong> <span class="quiet">${film.year}</span>
    <div class="quiet">${genresText(film)}</div>
    <div class="quiet">${stars === null ? ratingsText(film.ratings_count) : `you gave it ${givenText(stars)}`}</div>
  </div>`;
}

function spoken(film, stars) {
  const facts = [nameOf(film), film.year, genresText(film), stars === null ? "not rated by you" : `you gave it ${givenText(stars)}`];
  return facts.filter(Boolean).join(", ");
}

function Table({ films, starsOf }) {
  return html`<details class="map-table">
    <summary>The best known films in view as a table</summary>
    <div class="scroll" tabindex="0" role="region" aria-label="Films in view">
      <table>
        <thead><tr><th scope="col">Film</th><th scope="col">Genres</th><th scope="col">Across</th><th scope="col">Down</th><th scope="col">Your stars</th></tr></thead>
        <tbody>
          ${films.map(
            (film) => html`<tr key=${film.movie_id}>
              <th scope="row"><a href=${addressOf(film)}>${nameOf(film)}</a> <span class="quiet">${film.year}</span></th>
              <td>${genresText(film)}</td><td class="number">${film.x.toFixed(2)}</td><td class="number">${film.y.toFixed(2)}</td>
              <td class="number">${starsOf(film) ?? "–"}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </details>`;
}

// `films`: as /map answers. `starsOf(film)`: the person's stars, or null.
export function FilmMap({ films: places, starsOf }) {
  const frame = useRef();
  const canvas = useRef();
  const pointers = useRef(new Map());
  const dragged = useRef(0);
  const size = useSize(frame);
  const theme = useTheme();
  const [moved, setView] = useState(null);
  const [active, setActive] = useState(null);
  const films = useMemo(() => {
    const most = Math.max(...places.map((film) => film.ratings_count));
    return places.map((film) => ({ ...film, most, hue: lookOf(film).style["--hue"] }));
  }, [places]);
  const fitted = useMemo(() => size && whole(boundsOf(films), size), [films, size]);
  const view = moved ?? fitted;

  useEffect(() => setView(null), [fitted]);
  useEffect(() => {
    if (!view) return undefined;
    const turn = requestAnimationFrame(() => draw(canvas.current, view, films, starsOf, active, size));
    return () => cancelAnimationFrame(turn);
  });
  useEffect(() => {
    const turn = (event) => {
      if (!event.ctrlKey && !event.metaKey && document.activeElement !== frame.current) return; // the page scrolls
      event.preventDefault();
      const at = [event.offsetX, event.offsetY];
      setView((now) => zoomAt(now ?? fitted, 2 ** (-event.deltaY / 300), at));
    };
    frame.current.addEventListener("wheel", turn, { passive: false });
    return () => frame.current?.removeEventListener("wheel", turn);
  }, [fitted]);

  const middle = () => [size.width / 2, size.height / 2];
  const zoom = (factor) => setView(zoomAt(view, factor, active ? project(view, active) : middle()));

  function pressed(event) {
    const direction = ARROWS[event.key];
    if (direction && event.shiftKey) setView(pan(view, -direction[0] * PANNED, -direction[1] * PANNED));
    else if (direction) {
      const next = active ? towards(view, films, active, direction) : nearest(view, films, middle(), Infinity);
      setActive(next);
      setView(bring(view, next, size));
    } else if (event.key === "+" || event.key === "=") zoom(STEP);
    else if (event.key === "-") zoom(1 / STEP);
    else if (event.key === "0") setView(null);
    else if (event.key === "Escape") setActive(null);
    else if (event.key === "Enter" && active) go(addressOf(active));
    else return;
    event.preventDefault();
  }

  function down(event) {
    pointers.current.set(event.pointerId, [event.offsetX, event.offsetY]);
    dragged.current = 0;
    if (event.pointerType === "mouse") canvas.current.setPointerCapture(event.pointerId);
  }

  function over(event) {
    const at = [event.offsetX, event.offsetY];
    const before = pointers.current.get(event.pointerId);
    if (!before) return setActive(nearest(view, films, at));
    dragged.current += Math.abs(at[0] - before[0]) + Math.abs(at[1] - before[1]);
    const [other] = [...pointers.current].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
    if (other) setView(zoomAt(view, apart(at, other) / (apart(before, other) || 1), other));
    else setView(pan(view, at[0] - before[0], at[1] - before[1]));
    pointers.current.set(event.pointerId, at);
  }

  function up(event) {
    const was = pointers.current.delete(event.pointerId);
    if (!was || event.type !== "pointerup" || dragged.current > 6) return;
    const film = nearest(view, films, [event.offsetX, event.offsetY], 22);
    if (film && (event.pointerType === "mouse" || film === active)) go(addressOf(film));
    else setActive(film); // the first touch says what it is, the second opens it
  }

  const inView = useMemo(() => {
    if (!view) return [];
    const seen = ([x, y]) => x >= 0 && y >= 0 && x <= size.width && y <= size.height;
    return films.filter((film) => seen(project(view, film))).slice(0, LISTED);
  }, [view, films]);

  return html`<div class="map">
    <p class="hidden" id="map-help">Arrow keys go from film to film, with Shift they move the map; plus and minus zoom, 0 shows the whole map, Enter opens the film.</p>
    <div ref=${frame} class=${`map-frame ${view && view.times > 1 ? "near" : ""}`} tabindex="0" role="application" aria-label="Map of films" aria-describedby="map-help" onKeyDown=${pressed}>
      <canvas ref=${canvas} aria-hidden="true" onPointerDown=${down} onPointerMove=${over} onPointerUp=${up} onPointerCancel=${up} onPointerLeave=${() => pointers.current.size || setActive(null)}></canvas>
      ${active && view && html`<${Tip} film=${active} stars=${starsOf(active)} view=${view} size=${size} />`}
    </div>
    <div class="map-buttons" role="group" aria-label="Zoom">
      <button class="icon-button" aria-label="Nearer" onClick=${() => zoom(STEP)}>+</button>
      <button class="icon-button" aria-label="Further away" onClick=${() => zoom(1 / STEP)}>−</button>
      <button class="button quiet" onClick=${() => setView(null)}>Whole map</button>
    </div>
    <span class="hidden" role="status">${active ? spoken(active, starsOf(active)) : ""}</span>
    <${Table} films=${inView} starsOf=${starsOf} />
  </div>`;
}
