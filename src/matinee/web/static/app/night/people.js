// Who comes to the movie night: kept while this window is open. A person is { name, userId } for somebody whom the service
// knows, or { name, ratings: [{ movie_id, stars, film? }] } for somebody described here.
import { ask, of, Problem } from "../api.js";
import { useState } from "../html.js";
import { packedIn, unpack } from "./packed.js";

const KEPT = "matinee-night";
const MOST = 20;

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) ?? [];
  } catch {
    return [];
  }
}

export const memberOf = ({ userId, ratings }) =>
  userId ? { user_id: userId } : { ratings: ratings.map(({ movie_id, stars }) => ({ movie_id, stars })) };

// { people, add, remove, replace }; `add` refuses whom it has already.
export function usePeople() {
  const [people, setPeople] = useState(read);
  function keep(next) {
    sessionStorage.setItem(KEPT, JSON.stringify(next));
    setPeople(next);
  }
  function add(one) {
    if (people.length >= MOST) throw new Problem(`${MOST} people is as many as fit round one screen.`);
    if (people.some((other) => (one.userId ? other.userId === one.userId : other.name === one.name))) throw new Problem(`${one.name} is here already.`);
    keep([...people, one]);
  }
  return {
    people,
    add,
    remove: (one) => keep(people.filter((other) => other !== one)),
    replace: (one, next) => keep(people.map((other) => (other === one ? next : other))),
  };
}

// Somebody by the address that they sent, or by the name that the service knows them under.
export async function found(text) {
  const letters = packedIn(text);
  if (letters) {
    const person = await unpack(letters);
    if (person) return person;
    throw new Problem("This address is damaged: copy it whole.");
  }
  try {
    await ask(of(text, "ratings"), { query: { limit: 1 } });
  } catch (error) {
    if (error.status === 404) throw new Problem(`Nobody here is called ${text}. Rate some films for them instead, or ask for their movie night address.`);
    if ([401, 403].includes(error.status)) throw new Problem(`Only ${text} may use that name here. Ask for their movie night address: they find it on this page.`);
    throw error;
  }
  return { name: text, userId: text };
}
