// What the service counts of itself (/metrics, in Prometheus's format), and what that says of the last seconds.
const LINE = /^(\w+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

// [{ name, labels, value }] of a text.
export function samplesOf(text) {
  return text
    .split("\n")
    .map((line) => line.match(LINE))
    .filter(Boolean)
    .map(([, name, labels, value]) => ({ name, labels: Object.fromEntries([...(labels ?? "").matchAll(LABEL)].map(([, key, inner]) => [key, inner])), value: Number(value) }));
}

// Sums over all routes: { requests, errors, buckets: seconds → how many took at most as long }.
export function totals(samples) {
  const found = { requests: 0, errors: 0, buckets: new Map() };
  for (const { name, labels, value } of samples) {
    if (name === "matinee_requests_total") {
      found.requests += value;
      if (labels.status >= "500") found.errors += value;
    } else if (name === "matinee_request_seconds_bucket") {
      const limit = labels.le === "+Inf" ? Infinity : Number(labels.le);
      found.buckets.set(limit, (found.buckets.get(limit) ?? 0) + value);
    }
  }
  return found;
}

// Seconds that a part (0.5, 0.99) of the requests between two totals took at most; null where there were none.
export function quantile(now, before, part) {
  const limits = [...now.buckets.keys()].sort((a, b) => a - b);
  const counts = limits.map((limit) => now.buckets.get(limit) - (before?.buckets.get(limit) ?? 0));
  const all = counts.at(-1) ?? 0;
  if (all <= 0) return null;
  const place = counts.findIndex((count) => count >= part * all);
  const low = place ? limits[place - 1] : 0;
  const below = place ? counts[place - 1] : 0;
  if (limits[place] === Infinity) return low;
  return low + (limits[place] - low) * ((part * all - below) / Math.max(counts[place] - below, 1));
}
