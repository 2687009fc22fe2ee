// Films by title while one types: a combobox with a list of hits, for keyboards first ("/" reaches it from anywhere).
import { ask } from "../api.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { go } from "../router.js";
import { starsOf } from "../state.js";
import { addressOf, genresText, givenText, nameOf } from "./film.js";
import { Icon } from "./icons.js";
import { Poster } from "./poster.js";

const HITS = 8;
const PAUSE_MS = 90;

// Hits for a text as one types; an answer to an older text is dropped. Returns { text, movies }, or null while none.
export function useHits(text, limit) {
  const [hits, setHits] = useState(null);
  useEffect(() => {
    const wanted = text.trim();
    if (!wanted) return void setHits(null);
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const { movies } = await ask("/movies", { query: { q: wanted.slice(0, 200), limit }, signal: stop.signal });
        setHits({ text: wanted, movies });
      } catch (error) {
        if (error.name !== "AbortError") throw error;
      }
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [text, limit]);
  return hits;
}

function Hit({ film, id, active, onChoose }) {
  const stars = starsOf(film);
  return html`<li id=${id} role="option" aria-selected=${active} onMouseDown=${(event) => event.preventDefault()} onClick=${onChoose}>
    <${Poster} film=${film} small />
    <span class="hit-name">${nameOf(film)} ${film.year && html`<span class="quiet">${film.year}</span>`}</span>
    <span class="hit-facts quiet">${stars ? `you: ${givenText(stars)}` : genresText(film)}</span>
  </li>`;
}

export function SearchBox({ address }) {
  const [text, setText] = useState("");
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const field = useRef();
  const hits = useHits(text, HITS);
  const films = open && hits ? hits.movies : [];

  useEffect(() => setOpen(false), [address.path]);
  useEffect(() => setActive(-1), [hits]);
  useEffect(() => {
    const reach = (event) => {
      if (event.key !== "/" || event.target.closest("input, textarea, select, dialog")) return;
      event.preventDefault();
      field.current.focus();
    };
    addEventListener("keydown", reach);
    return () => removeEventListener("keydown", reach);
  }, []);

  function choose(film) {
    setText("");
    setOpen(false);
    field.current.blur();
    go(film ? addressOf(film) : `/search?q=${encodeURIComponent(text.trim())}`);
  }

  function pressed(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (steps) {
      setOpen(true);
      const places = films.length + 1; // one past the end is the field itself
      setActive((place) => ((place + 1 + steps + places) % places) - 1);
    } else if (event.key === "Escape" && (open || text)) {
      if (!open) setText("");
      setOpen(false);
    } else if (event.key === "Enter" && (films[active] || text.trim())) choose(films[active]);
    else return;
    event.preventDefault();
  }

  return html`<div class="search-box" role="search">
    <${Icon} name="search" />
    <input
      ref=${field}
      class="search-field"
      type="text"
      role="combobox"
      maxlength="200"
      placeholder="Find a film"
      aria-label="Find a film by its title"
      aria-expanded=${films.length > 0}
      aria-controls="hits"
      aria-autocomplete="list"
      aria-activedescendant=${films[active] ? `hit-${active}` : null}
      autocomplete="off"
      spellcheck=${false}
      value=${text}
      onInput=${(event) => {
        setText(event.target.value);
        setOpen(true);
      }}
      onFocus=${() => setOpen(true)}
      onBlur=${() => setOpen(false)}
      onKeyDown=${pressed}
    />
    <ul id="hits" class="hits" role="listbox" aria-label="Films found" hidden=${!films.length}>
      ${films.map(
        (film, place) =>
          html`<${Hit} key=${film.movie_id} film=${film} id=${`hit-${place}`} active=${place === active} onChoose=${() => choose(film)} />`,
      )}
    </ul>
    <span class="hidden" role="status">${open && hits ? `${hits.movies.length} films found` : ""}</span>
  </div>`;
}
