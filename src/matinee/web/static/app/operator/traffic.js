// Live traffic: what the service counts of itself, moment by moment.
import { Problem } from "../api.js";
import { Sparkline } from "../chart/charts.js";
import { quantile, samplesOf, totals } from "../chart/traffic.js";
import { html, useState } from "../html.js";
import { Failure } from "../ui/empty.js";
import { EVERY_MS, usePolled } from "./polled.js";
import { whole } from "./written.js";

const SEEN = 60; // moments of the chart

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

export function Traffic({ operatorKey, stats }) {
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
