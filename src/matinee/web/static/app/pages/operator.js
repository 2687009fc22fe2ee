// For whoever runs the service: how good the model in use is, going to another one, training, traffic.
import { ask, Problem } from "../api.js";
import { Calibration, Course, Sparkline } from "../chart/charts.js";
import { quantile, samplesOf, totals } from "../chart/traffic.js";
import { html, useCallback, useEffect, useState } from "../html.js";
import { Failure } from "../ui/empty.js";
import { say } from "../ui/toast.js";

const KEPT = "matinee-operator-key"; // for as long as this window is open, never longer
const EVERY_MS = 2000;
const SEEN = 60; // moments of the traffic chart
const RUNS = 8;
const UNDER_WAY = ["waiting", "running"];

const METRICS = [
  ["rmse", "RMSE", "stars", "how far predicted stars are off, root mean square"],
  ["mae", "MAE", "stars", "how far they are off on average"],
  ["auc", "AUC of liked films", "stars", "how often a liked film is predicted above one that is not"],
  ["ndcg@10", "NDCG@10", "picks", "held-out favourites near the top of lists of ten"],
  ["recall@10", "Recall@10", "picks", "share of held-out favourites on lists of ten"],
  ["hit_rate@10", "Hit rate@10", "picks", "share of people with a favourite on their list"],
];
const STATES = {
  waiting: "waits for a worker",
  running: "under way",
  promoted: "done, its model is in use",
  refused: "the new model was worse and is not used",
  failed: "failed",
  abandoned: "left by a worker that died",
};

const moment = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });
const whole = (number) => number.toLocaleString("en");
const fixed = (number, digits = 4) => (number === null || number === undefined ? "–" : number.toFixed(digits));

// Ask again and again; null before the first answer.
function usePolled(work, every, deps) {
  const [state, setState] = useState({ answer: null, failure: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let timer;
    let over = false;
    async function look() {
      try {
        const answer = await work();
        if (!over) setState({ answer, failure: null });
      } catch (failure) {
        if (!over) setState((now) => ({ ...now, failure }));
      }
      if (!over) timer = setTimeout(look, every);
    }
    look();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [...deps, turn]);
  return { ...state, again: () => setTurn((now) => now + 1) };
}

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

async function traffic(key) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const response = await fetch("/metrics", { headers });
  if (!response.ok) throw new Problem("The counters are not readable.", response.status);
  return { at: performance.now(), ...totals(samplesOf(await response.text())) };
}

function useTraffic(key) {
  const [moments, setMoments] = useState([]);
  const { failure } = usePolled(async () => {
    const now = await traffic(key);
    setMoments((before) => [...before, now].slice(-SEEN));
  }, EVERY_MS, [key]);
  return { moments, failure };
}

const milliseconds = (seconds) => (seconds === null ? "–" : `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`);

function Traffic({ operatorKey, stats }) {
  const { moments, failure } = useTraffic(operatorKey);
  const rates = moments.slice(1).map((one, place) => Math.max(0, (one.requests - moments[place].requests) / ((one.at - moments[place].at) / 1000)));
  const [first, last] = [moments[0], moments.at(-1)];
  const facts = [
    ["requests a second", rates.length ? rates.at(-1).toFixed(1) : "–"],
    ["half within", last ? milliseconds(quantile(last, moments.length > 1 ? first : null, 0.5)) : "–"],
    ["99 % within", last ? milliseconds(quantile(last, moments.length > 1 ? first : null, 0.99)) : "–"],
    ["answered since the start", last ? whole(last.requests) : "–"],
    ["errors since the start", last ? whole(last.errors) : "–"],
    ["people here", stats ? whole(stats.kept.users) : "–"],
    ["ratings given here", stats ? whole(stats.kept.ratings) : "–"],
  ];
  return html`<section class="panel traffic" aria-labelledby="traffic-title">
    <h2 id="traffic-title">Live traffic</h2>
    ${failure && html`<${Failure} error=${failure} />`}
    <${Sparkline} values=${rates} most=${Math.max(...rates, 1)} />
    <dl class="tally">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
  </section>`;
}

function protocolText({ protocol }) {
  if (!protocol) return "This model was not measured.";
  const { split, test, seed, held_out: held } = protocol;
  const how = { random: "at random", hash: "by a hash of their ids", "fixed hold-out": "by a hash of their ids, the same ones every time" }[split] ?? split;
  return `Measured on ${whole(held)} ratings (${Math.round(test * 100)} %) held out ${how}${seed === undefined ? "" : `, seed ${seed}`}; the model in use was then learned from everything.`;
}

function Metrics({ metrics }) {
  const baseline = metrics.baselines?.["damped bias"] ?? {};
  const rows = METRICS.filter(([name, , part]) => metrics[part]?.[name] !== undefined);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Metrics">
    <table class="metrics">
      <thead><tr><th scope="col">Metric</th><th scope="col">This model</th><th scope="col">Averages only</th></tr></thead>
      <tbody>
        ${rows.map(
          ([name, label, part, meaning]) => html`<tr key=${name}>
            <th scope="row">${label}<span class="quiet">${meaning}</span></th>
            <td class="number">${fixed(metrics[part][name])}</td><td class="number quiet">${part === "stars" ? fixed(baseline[name]) : "–"}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function Card({ model }) {
  const { metrics = {}, data = {}, models = {}, created_at: made } = model.facts;
  const course = metrics.history ?? {};
  return html`<section class="panel card-of-model" aria-labelledby="card-title">
    <h2 id="card-title">Model card</h2>
    <p class="quiet"><code>${model.model_id}</code>${model.current ? " (in use)" : ""}, made ${made ? moment.format(new Date(made)) : "?"}</p>
    ${model.problem && html`<p class="problem">${model.problem}</p>`}
    <dl class="tally">
      <div><dt>data</dt><dd>${data.name ?? "–"}</dd></div>
      <div><dt>ratings</dt><dd>${data.ratings ? whole(data.ratings) : "–"}</dd></div>
      <div><dt>people</dt><dd>${data.users ? whole(data.users) : "–"}</dd></div>
      <div><dt>films</dt><dd>${data.movies ? whole(data.movies) : "–"}</dd></div>
    </dl>
    <p>${Object.entries(models).map(([part, { kind, params }]) => `${part === "stars" ? "Stars" : "Lists"} by ${kind}, rank ${params.rank ?? "–"}.`).join(" ")}</p>
    <h3>How good it is</h3>
    <p class="quiet">${protocolText(metrics)}</p>
    <${Metrics} metrics=${metrics} />
    <div class="charts">
      ${metrics.intervals && html`<figure><figcaption>Calibration: do intervals hold as many ratings as they promise?</figcaption><${Calibration} coverage=${metrics.intervals.coverage} /></figure>`}
      ${course.stars?.length > 1 && html`<figure><figcaption>Training: error on the training ratings, in stars</figcaption><${Course} values=${course.stars} what="Training error in stars" /></figure>`}
      ${course.picks?.length > 1 && html`<figure><figcaption>Training: loss of the ranking model</figcaption><${Course} values=${course.picks} what="Loss of the ranking model" /></figure>`}
    </div>
  </section>`;
}

function Models({ models, chosen, onChoose, onPromote, onRollBack, busy }) {
  return html`<section class="panel" aria-labelledby="models-title">
    <h2 id="models-title">Models</h2>
    <ul class="models">
      ${models.map((model) => {
        const { metrics = {}, created_at: made } = model.facts;
        return html`<li key=${model.model_id} class=${model.current ? "in-use" : ""}>
          <button class="model-name" aria-pressed=${model === chosen} onClick=${() => onChoose(model.model_id)}>
            <strong>${made ? moment.format(new Date(made)) : model.model_id}</strong>
            <span class="quiet">RMSE ${fixed(metrics.stars?.rmse)} · NDCG@10 ${fixed(metrics.picks?.["ndcg@10"])}</span>
          </button>
          ${model.current ? html`<span class="badge">in use</span>` : html`<button class="button quiet" disabled=${busy || model.problem} aria-label=${`Use the model of ${made ? moment.format(new Date(made)) : model.model_id}`} onClick=${() => onPromote(model)}>Use this one</button>`}
        </li>`;
      })}
    </ul>
    <button class="button quiet" disabled=${busy} onClick=${onRollBack}>Roll back to the one before</button>
  </section>`;
}

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

function Trainings({ runs, onStart, busy }) {
  const underWay = runs.some((run) => UNDER_WAY.includes(run.state));
  return html`<section class="panel" aria-labelledby="trainings-title">
    <h2 id="trainings-title">Training</h2>
    <p class="quiet">A new model learns what people rated since, is measured against the one in use, and is used only if it is not worse.</p>
    <button class="button" disabled=${busy || underWay} onClick=${onStart}>${underWay ? "A training is under way" : "Start training"}</button>
    <ul class="runs" aria-live="polite">${runs.map((run) => html`<${Run} key=${run.run_id} run=${run} />`)}</ul>
  </section>`;
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
