// The model card: what a model was made of, how good it is, and how that was measured.
import { Calibration, Course } from "../chart/charts.js";
import { html } from "../html.js";
import { fixed, moment, whole } from "./written.js";

const METRICS = [
  ["rmse", "RMSE", "stars", "how far predicted stars are off, root mean square"],
  ["mae", "MAE", "stars", "how far they are off on average"],
  ["auc", "AUC of liked films", "stars", "how often a liked film is predicted above one that is not"],
  ["ndcg@10", "NDCG@10", "picks", "held-out favourites near the top of lists of ten"],
  ["recall@10", "Recall@10", "picks", "share of held-out favourites on lists of ten"],
  ["hit_rate@10", "Hit rate@10", "picks", "share of people with a favourite on their list"],
];

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

export function Card({ model }) {
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
