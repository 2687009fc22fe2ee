// The person who uses this browser: id, ratings and marks. Pages read `person` through `usePerson` and change it through
// the functions here, which show a change at once and take it back where the service refuses it.
import { ask, of, Problem } from "./api.js";
import { useLayoutEffect, useState } from "./html.js";

const KEPT = "matinee-user";
const NOT_SEEN = "matinee-not-seen";
const PAGE = 1000;
const listeners = new Set();

// userId: null until the first rating. ratings: { film, stars } by String(movie_id), newest first. notInterested,
// watchlist: films by String(movie_id). notSeen: ids as text, known to this browser only. ready: false while loading.
export const person = {
  userId: localStorage.getItem(KEPT),
  ready: false,
  ratings: new Map(),
  notInterested: new Map(),
  watchlist: new Map(),
  notSeen: new Set(JSON.parse(localStorage.getItem(NOT_SEEN) ?? "[]")),
};

export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function changed() {
  listeners.forEach((listener) => listener());
}

// Draw a component again whenever the person changes: from its first drawing on, since an effect that waits for the
// screen would miss an answer that comes before it.
export function usePerson() {
  const [, again] = useState(0);
  useLayoutEffect(() => subscribe(() => again((turn) => turn + 1)), []);
  return person;
}

export const starsOf = (film) => person.ratings.get(String(film.movie_id))?.stars ?? null;

// Read what the service keeps of this browser's person; forget the id where it knows nobody of that name any more.
export async function load() {
  try {
    if (person.userId) await Promise.all([loadRatings(), loadMarks("watchlist"), loadMarks("notInterested")]);
  } catch (error) {
    if (![401, 403, 404].includes(error.status)) throw error;
    becomeNobody();
  } finally {
    person.ready = true;
    changed();
  }
}

async function loadRatings() {
  const rated = await everything(of(person.userId, "ratings"), "ratings");
  person.ratings = new Map(rated.map((film) => [String(film.movie_id), { film, stars: film.stars }]));
}

async function loadMarks(kind) {
  const films = await everything(of(person.userId, ROUTES[kind]), "movies");
  person[kind] = new Map(films.map((film) => [String(film.movie_id), film]));
}

async function everything(path, name) {
  const found = [];
  for (;;) {
    const answer = await ask(path, { query: { limit: PAGE, offset: found.length } });
    found.push(...answer[name]);
    if (found.length >= answer.total || !answer[name].length) return found;
  }
}

let joining = null; // two quick ratings must not make two people

// The person's id; somebody new is made known to the service first.
export async function ensurePerson() {
  if (person.userId) return person.userId;
  joining ??= ask("/users", { method: "POST" }).then(become, (error) => {
    joining = null;
    throw error;
  });
  return joining;
}

function become({ user_id }) {
  person.userId = user_id;
  localStorage.setItem(KEPT, user_id);
  return user_id;
}

function becomeNobody() {
  joining = null;
  localStorage.removeItem(KEPT);
  localStorage.removeItem(NOT_SEEN);
  Object.assign(person, { userId: null, ratings: new Map(), notInterested: new Map(), watchlist: new Map(), notSeen: new Set() });
}

// Give a film stars. `recommend`: how many films to answer with. Returns the service's answer.
export async function rate(film, stars, { recommend } = {}) {
  const before = new Map(person.ratings);
  const id = String(film.movie_id);
  person.ratings.delete(id); // the newest comes first
  person.ratings = new Map([[id, { film, stars }], ...person.ratings]);
  changed();
  return orBack(before, "ratings", async () =>
    ask(of(await ensurePerson(), "ratings"), { body: { ratings: [{ movie_id: film.movie_id, stars }], recommend } }),
  );
}

// Take a rating back.
export async function unrate(film) {
  const before = new Map(person.ratings);
  person.ratings.delete(String(film.movie_id));
  changed();
  return orBack(before, "ratings", () => ask(of(person.userId, "ratings", film.movie_id), { method: "DELETE" }));
}

const ROUTES = { watchlist: "watchlist", notInterested: "not-interested" };

// Mark a film, or take the mark off. `kind`: "watchlist" or "notInterested".
export async function mark(kind, film, on = true) {
  const before = new Map(person[kind]);
  if (on) person[kind] = new Map([[String(film.movie_id), film], ...before]);
  else person[kind].delete(String(film.movie_id));
  changed();
  return orBack(before, kind, async () =>
    ask(of(await ensurePerson(), ROUTES[kind], film.movie_id), { method: on ? "PUT" : "DELETE" }),
  );
}

async function orBack(before, kind, change) {
  try {
    return await change();
  } catch (error) {
    person[kind] = before;
    changed();
    throw error;
  }
}

// Remember that a film is not known to the person: it is not asked about again.
export function setNotSeen(film, on = true) {
  if (on) person.notSeen.add(String(film.movie_id));
  else person.notSeen.delete(String(film.movie_id));
  localStorage.setItem(NOT_SEEN, JSON.stringify([...person.notSeen]));
  changed();
}

// An address that makes another browser this person's; it works once.
export async function makeLink() {
  const { code, expires_at } = await ask(of(await ensurePerson(), "links"), { method: "POST" });
  return { address: `${location.origin}/join#${code}`, expiresAt: expires_at };
}

// Become the person whose code another browser made.
export async function followLink(code) {
  if (!code) throw new Problem("This address holds no code: copy it whole from the other browser.");
  const entered = await ask("/links", { body: { code } });
  becomeNobody();
  become(entered);
  return load();
}

// Forget this person everywhere.
export async function forget() {
  await ask(of(person.userId), { method: "DELETE" });
  becomeNobody();
  changed();
}
