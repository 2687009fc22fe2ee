// Import and export: drop a file, see what matinee makes of it, decide about what is not clear, store, undo.
import { ask, of } from "../api.js";
import { html, useRef, useState } from "../html.js";
import { ensurePerson, load, usePerson } from "../state.js";
import { Failure } from "../ui/empty.js";
import { nameOf } from "../ui/film.js";
import { useHits } from "../ui/search-box.js";
import { say } from "../ui/toast.js";

const NAMES = { letterboxd: "Letterboxd", imdb: "IMDb", tmdb: "TMDb", trakt: "Trakt", movielens: "movielens.org", matinee: "matinee" };
const FORMATS = [
  ["csv", "CSV", "comes back by an import as it was"],
  ["json", "JSON", "the same, for programs"],
  ["letterboxd", "Letterboxd", "for that site's import"],
];
const SHOWN = 200; // unclear lines; more are rarely decided about by hand
const NONE = "none";

const keyOf = (line) => `${line.file}\n${line.line}`;
const isOpen = (line) => ["ambiguous", "unknown"].includes(line.status);
const counted = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

function DropZone({ onFile, busy }) {
  const [over, setOver] = useState(false);
  const input = useRef();
  const take = (files) => files?.[0] && onFile(files[0]);
  return html`<div
    class=${`drop ${over ? "over" : ""}`}
    onDragOver=${(event) => {
      event.preventDefault();
      setOver(true);
    }}
    onDragLeave=${() => setOver(false)}
    onDrop=${(event) => {
      event.preventDefault();
      setOver(false);
      take(event.dataTransfer.files);
    }}
  >
    <p class="drop-title">${busy ? "Reading…" : "Drop a file here"}</p>
    <p class="quiet">What Letterboxd, IMDb, TMDb, Trakt or movielens.org export, as it comes: csv, json or the whole zip.</p>
    <button class="button" disabled=${busy} onClick=${() => input.current.click()}>Choose a file</button>
    <input ref=${input} type="file" hidden accept=".csv,.json,.zip,.txt,text/csv,application/json,application/zip" onChange=${(event) => {
      take(event.target.files);
      event.target.value = "";
    }} />
  </div>`;
}

// A film found by its title, for lines that matinee could not place.
function Finder({ line, onChoose }) {
  const [text, setText] = useState(line.title);
  const hits = useHits(text, 6);
  return html`<div class="finder">
    <input class="field" type="search" maxlength="200" aria-label=${`Find the film that “${line.title}” means`} value=${text} onInput=${(event) => setText(event.target.value)} />
    <ul>
      ${(hits?.movies ?? []).map((film) => html`<li key=${film.movie_id}><button class="link-button" onClick=${() => onChoose(film)}>${nameOf(film)} ${film.year && `(${film.year})`}</button></li>`)}
    </ul>
    ${hits && !hits.movies.length && html`<p class="quiet">No film of that title.</p>`}
  </div>`;
}

// One unclear line. `choice`: a film, NONE, or undefined while undecided.
function Line({ line, choice, onChoose }) {
  const [finding, setFinding] = useState(false);
  const options = choice && choice !== NONE && !line.candidates.some((one) => one.movie_id === choice.movie_id) ? [...line.candidates, choice] : line.candidates;
  const choose = (value) => {
    if (value === "find") return setFinding(true);
    setFinding(false);
    return onChoose(value === NONE ? NONE : options.find((one) => String(one.movie_id) === value));
  };
  return html`<li class="unclear">
    <div>
      <strong>${line.title || "(no title)"}</strong> <span class="quiet">${line.year}</span>
      <div class="quiet">line ${line.line}: ${line.why}</div>
    </div>
    ${isOpen(line) &&
    html`<div class="unclear-choice">
      <select class="field" aria-label=${`Which film does “${line.title}” mean?`} value=${choice === NONE ? NONE : choice ? String(choice.movie_id) : ""} onChange=${(event) => choose(event.target.value)}>
        <option value="" disabled>${line.candidates.length ? "Which one?" : "Not found"}</option>
        ${options.map((one) => html`<option key=${one.movie_id} value=${String(one.movie_id)}>${one.title}</option>`)}
        <option value="find">Find it by its title…</option>
        <option value=${NONE}>None of these</option>
      </select>
      ${finding && html`<${Finder} line=${line} onChoose=${(film) => {
        setFinding(false);
        onChoose(film);
      }} />`}
    </div>`}
  </li>`;
}

function Report({ report, choices, onChoose }) {
  const open = report.not_matched.filter(isOpen);
  const others = report.not_matched.filter((line) => !isOpen(line));
  const matched = report.counts.matched ?? 0;
  return html`<section class="report" aria-labelledby="report-title">
    <h2 id="report-title">${NAMES[report.source] ?? report.source}: ${counted(report.lines, "line")}</h2>
    <dl class="tally">
      <div><dt>clear</dt><dd>${matched}</dd></div>
      <div><dt>ambiguous</dt><dd>${report.counts.ambiguous ?? 0}</dd></div>
      <div><dt>not found</dt><dd>${report.counts.unknown ?? 0}</dd></div>
      <div><dt>passed over</dt><dd>${others.length}</dd></div>
    </dl>
    <div class="tally-bar" aria-hidden="true">${["matched", "ambiguous", "unknown"].map((name) => html`<span key=${name} class=${name} style=${{ flexGrow: report.counts[name] ?? 0 }}></span>`)}</div>
    ${open.length > 0 &&
    html`<h3>Which films are these?</h3>
      <p class="quiet">Lines left undecided are not taken over.</p>
      <ul class="lines">${open.slice(0, SHOWN).map((line) => html`<${Line} key=${keyOf(line)} line=${line} choice=${choices[keyOf(line)]} onChoose=${(choice) => onChoose(line, choice)} />`)}</ul>
      ${open.length > SHOWN && html`<p class="quiet">and ${counted(open.length - SHOWN, "more line")}.</p>`}`}
    ${others.length > 0 &&
    html`<details><summary>${counted(others.length, "line")} passed over</summary>
      <ul class="lines">${others.slice(0, SHOWN).map((line) => html`<${Line} key=${keyOf(line)} line=${line} />`)}</ul>
    </details>`}
  </section>`;
}

async function store(file, choices) {
  const userId = await ensurePerson();
  const done = await ask(of(userId, "imports"), { method: "POST", query: { name: file.name }, body: file });
  const decided = done.not_matched
    .filter((line) => isOpen(line) && choices[keyOf(line)])
    .map((line) => ({ file: line.file, line: line.line, movie_id: choices[keyOf(line)] === NONE ? null : choices[keyOf(line)].movie_id }));
  const resolved = decided.length ? await ask(of(userId, "imports", done.import_id, "resolve"), { body: { choices: decided } }) : null;
  await load();
  return { importId: done.import_id, saved: done.saved + (resolved?.saved ?? 0) };
}

function Exports() {
  const { userId, ratings } = usePerson();
  return html`<section class="exports" aria-labelledby="export-title">
    <h2 id="export-title">Take everything with you</h2>
    ${userId && ratings.size
      ? html`<ul>
          ${FORMATS.map(
            ([format, name, note]) => html`<li key=${format}>
              <a class="button quiet" download href=${`/api/v1${of(userId, "export")}?format=${format}`}>${name}</a>
              <span class="quiet">${note}</span>
            </li>`,
          )}
        </ul>`
      : html`<p class="quiet">Once you rated something, it can be taken along from here.</p>`}
  </section>`;
}

export default function Import() {
  const [file, setFile] = useState(null);
  const [report, setReport] = useState(null);
  const [choices, setChoices] = useState({});
  const [stored, setStored] = useState(null);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState(null);
  const heading = useRef();

  async function attempt(work) {
    setBusy(true);
    setFailure(null);
    try {
      await work();
    } catch (error) {
      setFailure(error);
    } finally {
      setBusy(false);
    }
  }

  const look = (chosen) =>
    attempt(async () => {
      setReport(null);
      setStored(null);
      const userId = await ensurePerson();
      const answer = await ask(of(userId, "imports"), { method: "POST", query: { name: chosen.name, dry_run: true }, body: chosen });
      setFile(chosen);
      setChoices({});
      setReport(answer);
      heading.current.focus();
    });
  const keep = () =>
    attempt(async () => {
      setStored(await store(file, choices));
      setReport(null);
      heading.current.focus();
    });
  const undo = () =>
    attempt(async () => {
      const { restored } = await ask(of(await ensurePerson(), "imports", stored.importId), { method: "DELETE" });
      await load();
      setStored(null);
      say(`Undone: ${counted(restored, "film")} as before.`);
    });

  const chosen = Object.values(choices).filter((choice) => choice !== NONE).length;
  return html`<div class="page import">
    <header>
      <h1>Import and export</h1>
      <p class="lead">Bring your history along. Nothing is stored before you have seen what matinee makes of it.</p>
    </header>
    <div class="import-main">
      <div ref=${heading} tabindex="-1" role="status">
        ${stored && html`<div class="stored"><h2>${counted(stored.saved, "rating")} stored</h2><p>Your list knows them already. <a href="/for-you">See what is for you</a>, or take it all back.</p><button class="button quiet" disabled=${busy} onClick=${undo}>Undo the import</button></div>`}
        ${report && html`<p class="hidden">${file.name} was read.</p>`}
      </div>
      ${failure && html`<${Failure} error=${failure} />`}
      ${report
        ? html`<${Report} report=${report} choices=${choices} onChoose=${(line, choice) => setChoices((now) => ({ ...now, [keyOf(line)]: choice }))} />
            <div class="store">
              <button class="button" disabled=${busy || report.ratings + chosen === 0} onClick=${keep}>Store ${counted(report.ratings + chosen, "rating")}</button>
              <button class="button quiet" disabled=${busy} onClick=${() => setReport(null)}>Cancel</button>
            </div>`
        : html`<${DropZone} onFile=${look} busy=${busy} />`}
    </div>
    <${Exports} />
  </div>`;
}
