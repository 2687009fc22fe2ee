// For whoever runs the service: how good the model in use is, going to another one, training, traffic.
import { ask } from "../api.js";
import { html, useCallback, useEffect, useState } from "../html.js";
import { Card } from "../operator/card.js";
import { Models } from "../operator/models.js";
import { EVERY_MS, usePolled } from "../operator/polled.js";
import { Traffic } from "../operator/traffic.js";
import { Trainings } from "../operator/trainings.js";
import { Failure } from "../ui/empty.js";
import { say } from "../ui/toast.js";

const KEPT = "matinee-operator-key"; // for as long as this window is open, never longer
const RUNS = 8;

function KeyForm({ refused, onKey }) {
  const [text, setText] = useState("");
  function enter(event) {
    event.preventDefault();
    if (text.trim()) onKey(text.trim());
  }
  return html`<form class="key-form panel" onSubmit=${enter}>
    <h2>The operator's key</h2>
    <p>What was set as <code>MATINEE_OPERATOR_KEY</code>. It is kept until this window is closed, and sent to nobody but this service.</p>
    <label>Key<input class="field" type="password" autocomplete="off" value=${text} onInput=${(event) => setText(event.target.value)} aria-invalid=${refused ? "true" : null} aria-describedby="key-problem" /></label>
    <p id="key-problem" class="problem" role="alert">${refused ?? ""}</p>
    <button class="button">Enter</button>
  </form>`;
}

function Board({ operatorKey, onRefused }) {
  const [chosen, setChosen] = useState(null);
  const [busy, setBusy] = useState(false);
  const get = useCallback((path, options) => ask(path, { ...options, key: operatorKey }), [operatorKey]);
  const { answer, failure, again } = usePolled(
    async () => {
      const [{ models }, { training_runs: runs }, stats] = await Promise.all([get("/models"), get("/training-runs", { query: { limit: RUNS } }), get("/stats")]);
      return { models, runs, stats };
    },
    EVERY_MS,
    [get],
  );
  useEffect(() => void ([401, 403].includes(failure?.status) && onRefused(failure)), [failure]);
  if (!answer) return failure ? html`<${Failure} error=${failure} retry=${again} />` : html`<div aria-busy="true"></div>`;

  async function act(work, done) {
    setBusy(true);
    try {
      say(done(await work()));
      again();
    } catch (error) {
      say(error.message, { bad: true });
    } finally {
      setBusy(false);
    }
  }
  const { models, runs, stats } = answer;
  const shown = models.find((model) => model.model_id === chosen) ?? models.find((model) => model.current) ?? models[0];
  const called = ({ model_id: id }) => `Model ${id} is in use within a second.`;
  return html`${failure && html`<${Failure} error=${failure} />`}
    <div class="board">
      <div>
        <${Traffic} operatorKey=${operatorKey} stats=${stats} />
        ${shown && html`<${Card} model=${shown} />`}
      </div>
      <div>
        <${Models}
          models=${models}
          chosen=${shown}
          busy=${busy}
          onChoose=${setChosen}
          onPromote=${(model) => act(() => get(`/models/${encodeURIComponent(model.model_id)}/promote`, { method: "POST" }), called)}
          onRollBack=${() => act(() => get("/models/rollback", { method: "POST" }), called)}
        />
        <${Trainings} runs=${runs} busy=${busy} onStart=${() => act(() => get("/training-runs", { method: "POST" }), (run) => `Training ${run.run_id} is asked for.`)} />
      </div>
    </div>`;
}

export default function Operator() {
  const [key, setKey] = useState(() => sessionStorage.getItem(KEPT) ?? undefined);
  const [refused, setRefused] = useState(null);
  function enter(given) {
    sessionStorage.setItem(KEPT, given);
    setRefused(null);
    setKey(given);
  }
  function refuse(failure) {
    sessionStorage.removeItem(KEPT);
    setRefused(key === undefined ? "" : failure.message);
    setKey(undefined);
  }
  return html`<div class="page operator">
    <header>
      <h1>Behind the curtain</h1>
      <p class="lead">Which model answers, how good it is, and how the service fares.</p>
    </header>
    ${refused === null ? html`<${Board} key=${key} operatorKey=${key} onRefused=${refuse} />` : html`<${KeyForm} refused=${refused || null} onKey=${enter} />`}
  </div>`;
}
