// Trainings: asking for one, and how far each is.
import { html } from "../html.js";
import { fixed, moment } from "./written.js";

const UNDER_WAY = ["waiting", "running"];
const STATES = {
  waiting: "waits for a worker",
  running: "under way",
  promoted: "done, its model is in use",
  refused: "the new model was worse and is not used",
  failed: "failed",
  abandoned: "left by a worker that died",
};

function Checks({ checks }) {
  return html`<ul class="checks">
    ${checks.map((check) => html`<li key=${check.what} class=${check.passed ? "passed" : "not-passed"}>${check.what}: ${fixed(check.candidate)}, before ${fixed(check.current)} ${check.passed ? "" : "(worse)"}</li>`)}
  </ul>`;
}

function Run({ run }) {
  const { progress, checks, problem } = run.report;
  return html`<li>
    <p><strong>Training ${run.run_id}</strong> <span class=${`badge ${run.state}`}>${STATES[run.state]}</span> <span class="quiet">${moment.format(new Date(run.requested_at))}, ${run.reason}</span></p>
    ${run.state === "running" &&
    html`<div class="progress">
      <progress aria-label=${`Training ${run.run_id}`} max=${progress?.iterations || 1} value=${progress ? progress.iteration : null}></progress>
      <span>${progress ? `${progress.stage}: ${progress.iteration} of ${progress.iterations}` : "begins"} <span class="quiet">${progress?.note ?? ""}</span></span>
    </div>`}
    ${run.state === "waiting" && html`<p class="quiet">It begins when a worker is free: <code>matinee worker</code> runs one.</p>`}
    ${problem && html`<p class="problem">${problem}</p>`}
    ${checks?.length > 0 && html`<${Checks} checks=${checks} />`}
  </li>`;
}

export function Trainings({ runs, onStart, busy }) {
  const underWay = runs.some((run) => UNDER_WAY.includes(run.state));
  return html`<section class="panel" aria-labelledby="trainings-title">
    <h2 id="trainings-title">Training</h2>
    <p class="quiet">A new model learns what people rated since, is measured against the one in use, and is used only if it is not worse.</p>
    <button class="button" disabled=${busy || underWay} onClick=${onStart}>${underWay ? "A training is under way" : "Start training"}</button>
    <ul class="runs" aria-live="polite">${runs.map((run) => html`<${Run} key=${run.run_id} run=${run} />`)}</ul>
  </section>`;
}
