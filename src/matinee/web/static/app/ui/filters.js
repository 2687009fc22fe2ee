// Dials and filters of a list. They hold nothing themselves: what is chosen stands in the address.
import { ask } from "../api.js";
import { html } from "../html.js";
import { setQuery } from "../router.js";
import { useAnswer } from "./answer.js";

// What the API takes, and how: one number or a list of words.
export const FILTERS = {
  popularity: "number",
  diversity: "number",
  genre_any: "list",
  genre_all: "list",
  genre_none: "list",
  year_from: "number",
  year_to: "number",
  min_ratings: "number",
};
export const NAMES = {
  popularity: "popularity",
  diversity: "diversity",
  genre_any: "the genres wanted",
  genre_all: "the genres that must all be there",
  genre_none: "the genres left out",
  year_from: "the earliest year",
  year_to: "the latest year",
  min_ratings: "the number of ratings",
};
const COUNTS = [0, 5, 10, 25, 50, 100];

// How many of them an address holds.
export const chosen = (query) => Object.keys(FILTERS).filter((name) => query.has(name)).length;

function Dial({ query, name, label, low, high, least }) {
  const value = Number(query.get(name) ?? 0);
  const set = (event) => setQuery({ [name]: Number(event.target.value) || null });
  return html`<label class="dial"><span>${label}</span>
    <input type="range" min=${least} max="1" step="0.1" value=${value} onChange=${set} />
    <span class="dial-ends quiet" aria-hidden="true"><span>${low}</span><span>${high}</span></span>
  </label>`;
}

// A genre is wanted after one press, left out after two, forgotten after three.
function GenreChip({ genre, query, mode }) {
  const yes = query.getAll("genre_any").concat(query.getAll("genre_all"));
  const state = yes.includes(genre) ? "yes" : query.getAll("genre_none").includes(genre) ? "no" : "";
  function press() {
    const without = (name) => query.getAll(name).filter((one) => one !== genre);
    const wanted = yes.filter((one) => one !== genre);
    const none = without("genre_none");
    if (state === "") wanted.push(genre);
    if (state === "yes") none.push(genre);
    setQuery({ genre_any: null, genre_all: null, [mode]: wanted, genre_none: none });
  }
  const said = { yes: "wanted", no: "left out" }[state];
  return html`<button type="button" class="chip" data-state=${state} aria-label=${said ? `${genre}, ${said}` : genre} onClick=${press}>${genre}</button>`;
}

function Choose({ query, name, label, options }) {
  return html`<label class="choose"><span>${label}</span>
    <select class="field" value=${query.get(name) ?? ""} onChange=${(event) => setQuery({ [name]: event.target.value })}>
      ${options.map(([value, text]) => html`<option key=${value} value=${value} selected=${value === (query.get(name) ?? "")}>${text}</option>`)}
    </select>
  </label>`;
}

// What the catalogue knows: { genres, decades }; null while asking.
export function useGenres() {
  const { answer, failure } = useAnswer(() => ask("/genres"), []);
  return answer ?? (failure && { genres: [], decades: [] });
}

// `known`: as `useGenres` answers.
export function Filters({ query, known }) {
  const mode = query.has("genre_all") ? "genre_all" : "genre_any";
  const wanted = query.getAll(mode);
  const count = chosen(query);
  const years = (by, word) => [["", "any"], ...known.decades.map((year) => [String(year + by), `${word} ${year + by}`])];
  const clear = Object.fromEntries(Object.keys(FILTERS).map((name) => [name, null]));
  return html`<details class="filters" open=${count > 0}>
    <summary class="chip">Dials and filters${count ? ` (${count})` : ""}</summary>
    ${known && html`<div class="filters-inner">
      <${Dial} query=${query} name="popularity" label="Popularity" low="hidden gems" high="well known" least="-1" />
      <${Dial} query=${query} name="diversity" label="Diversity" low="your favourites" high="a bit of all" least="0" />
      <${Choose} query=${query} name="year_from" label="Years, from" options=${years(0, "from")} />
      <${Choose} query=${query} name="year_to" label="Years, to" options=${years(9, "to")} />
      <${Choose} query=${query} name="min_ratings" label="Rated by" options=${COUNTS.map((n) => [n ? String(n) : "", n ? `at least ${n} people` : "anybody"])} />
      <fieldset class="filters-genres">
        <legend>Genres: press once for wanted, twice for left out</legend>
        <div class="chips">
          ${known.genres.map(({ genre }) => html`<${GenreChip} key=${genre} genre=${genre} query=${query} mode=${mode} />`)}
        </div>
        ${wanted.length > 1 && html`<label class="all-of"><input type="checkbox" checked=${mode === "genre_all"} onChange=${() => setQuery({ [mode]: null, [mode === "genre_any" ? "genre_all" : "genre_any"]: wanted })} /> all of them at once</label>`}
      </fieldset>
      ${count > 0 && html`<button type="button" class="link-button" onClick=${() => setQuery(clear)}>Clear all</button>`}
    </div>`}
  </details>`;
}
