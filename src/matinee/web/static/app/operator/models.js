// The models that there are, and going from one to another.
import { html } from "../html.js";
import { fixed, moment } from "./written.js";

export function Models({ models, chosen, onChoose, onPromote, onRollBack, busy }) {
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
