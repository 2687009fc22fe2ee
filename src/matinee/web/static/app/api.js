// The public REST API, as every other client uses it. The token travels in a cookie that no script can read.
const ROOT = "/api/v1";

// Why a request was refused: `message` is for people, `status` 0 where nothing answered.
export class Problem extends Error {
  constructor(message, status = 0, errors = []) {
    super(message);
    this.status = status;
    this.errors = errors;
  }
}

// Ask `path` below /api/v1. `query`: an object or URLSearchParams; lists repeat their name, empty values are left out.
// `body`: an object, sent as JSON, or a File or text, sent as it is. Returns the answer, null for 204.
export async function ask(path, { method, query, body, signal, type, key } = {}) {
  const raw = body instanceof Blob || typeof body === "string";
  const headers = new Headers();
  if (body !== undefined) headers.set("Content-Type", type ?? (raw ? "application/octet-stream" : "application/json"));
  if (key) headers.set("Authorization", `Bearer ${key}`);
  const response = await send(`${ROOT}${path}${written(query)}`, {
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers,
    body: body === undefined || raw ? body : JSON.stringify(body),
    signal,
  });
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(explained(response, answer), response.status, answer.errors);
  return answer;
}

async function send(address, options) {
  try {
    return await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("matinee does not answer. Is it still running? What you did last was not kept.");
  }
}

function explained(response, { detail }) {
  if (response.status === 429) {
    return `That was a lot at once: try again in ${response.headers.get("Retry-After") ?? 60} seconds.`;
  }
  if (response.status >= 500) return `matinee could not answer: ${detail ?? response.statusText}`;
  return detail ?? response.statusText;
}

// "?name=value&…" for an object or URLSearchParams; "" where there is nothing to say.
export function written(query) {
  const pairs = query instanceof URLSearchParams ? [...query] : Object.entries(query ?? {});
  const search = new URLSearchParams();
  for (const [name, value] of pairs) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "") search.append(name, one);
    }
  }
  return search.size ? `?${search}` : "";
}

// The path of somebody's own: of("u-x", "ratings", 260) is "/users/u-x/ratings/260".
export function of(userId, ...parts) {
  return `/users/${[userId, ...parts].map(encodeURIComponent).join("/")}`;
}
