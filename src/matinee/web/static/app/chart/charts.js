// Charts of the model card, as SVG: readable in both colours, with words for those who do not see them.
import { html } from "../html.js";
import { line, linear, ticks } from "./scale.js";

const WIDTH = 420;
const HEIGHT = 260;
const AREA = { left: 48, right: 12, top: 12, bottom: 42 };

function Axes({ x, y, xTicks, yTicks, xTitle, format = String }) {
  const [left, right, bottom] = [AREA.left, WIDTH - AREA.right, HEIGHT - AREA.bottom];
  return html`<g class="axes">
    ${yTicks.map((value) => html`<g key=${`y${value}`}><line x1=${left} x2=${right} y1=${y(value)} y2=${y(value)} /><text x=${left - 8} y=${y(value)} dy=".32em" text-anchor="end">${format(value)}</text></g>`)}
    ${xTicks.map((value) => html`<text key=${`x${value}`} x=${x(value)} y=${bottom + 18} text-anchor="middle">${format(value)}</text>`)}
    <text x=${(left + right) / 2} y=${HEIGHT - 6} text-anchor="middle">${xTitle}</text>
  </g>`;
}

function Frame({ label, children }) {
  return html`<svg class="chart" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${label}>${children}</svg>`;
}

const across = (domain) => linear(domain, [AREA.left, WIDTH - AREA.right]);
const upwards = (domain) => linear(domain, [HEIGHT - AREA.bottom, AREA.top]);

// `coverage`: level → share of held-out ratings that the interval of that level holds.
export function Calibration({ coverage }) {
  const points = Object.entries(coverage).map(([level, share]) => [Number(level), share]).sort((a, b) => a[0] - b[0]);
  const [x, y] = [across([0, 1]), upwards([0, 1])];
  const marks = [0, 0.25, 0.5, 0.75, 1];
  const percent = (value) => `${Math.round(value * 100)} %`;
  const words = points.map(([level, share]) => `${percent(level)} promised, ${percent(share)} held`).join("; ");
  return html`<${Frame} label=${`Calibration of intervals: ${words}.`}>
    <${Axes} x=${x} y=${y} xTicks=${marks} yTicks=${marks} xTitle="promised (across) and held (up)" format=${percent} />
    <path class="ideal" d=${line([[x(0), y(0)], [x(1), y(1)]])} />
    <path class="curve" d=${line(points.map(([level, share]) => [x(level), y(share)]))} />
    ${points.map(([level, share]) => html`<circle key=${level} class="point" cx=${x(level)} cy=${y(share)} r="4"><title>${`${percent(level)} promised, ${percent(share)} held`}</title></circle>`)}
  <//>`;
}

// `values`: one per iteration. `what`: of what, in words.
export function Course({ values, what }) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const marks = ticks(low, high, 4);
  const [x, y] = [across([1, Math.max(values.length, 2)]), upwards([Math.min(low, marks[0]), Math.max(high, marks.at(-1))])];
  const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 4 });
  const steps = ticks(1, values.length, 5).filter(Number.isInteger);
  const points = values.map((value, place) => [x(place + 1), y(value)]);
  return html`<${Frame} label=${`${what}: ${short.format(values[0])} after the first iteration, ${short.format(values.at(-1))} after the last, number ${values.length}.`}>
    <${Axes} x=${x} y=${y} xTicks=${steps} yTicks=${marks} xTitle="iteration" format=${(value) => short.format(value)} />
    <path class="curve" d=${line(points)} />
    <circle class="point" cx=${points.at(-1)[0]} cy=${points.at(-1)[1]} r="4" />
  <//>`;
}

// Requests per second over the last minutes, the newest at the right end.
export function Sparkline({ values, most }) {
  const [x, y] = [linear([0, Math.max(values.length - 1, 1)], [0, 300]), linear([0, Math.max(most, 1)], [58, 2])];
  const points = values.map((value, place) => [x(place), y(value)]);
  return html`<svg class="sparkline" viewBox="0 0 300 60" preserveAspectRatio="none" aria-hidden="true">
    ${points.length > 1 && html`<path class="under" d=${`${line(points)}L300 60L0 60Z`} /><path class="curve" d=${line(points)} />`}
  </svg>`;
}
