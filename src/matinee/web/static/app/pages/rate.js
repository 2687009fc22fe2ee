// The first minute: a wall of films that a newcomer probably knows, and beside it the list that follows from the stars.
import { ask, of } from "../api.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { person, rate, setNotSeen, starsOf, unrate, usePerson } from "../state.js";
import { FilmCard, FilmRow } from "../ui/card.js";
import { Failure } from "../ui/empty.js";
import { givenText, nameOf, starsText, titleOf } from "../ui/film.js";
import { useMoves } from "../ui/flip.js";
import { Icon } from "../ui/icons.js";
import { StarsInput } from "../ui/stars.js";
import { say } from "../ui/toast.js";

const WALL = 12;
const LIST = 10;
const ENOUGH = 5; // ratings after which the list is somebody's own

// Films to ask about, without those that are on the wall already.
async function nextFilms(wall, count) {
  const shown = new Set(wall.map((film) => String(film.movie_id)));
  const not_seen = [...person.notSeen].slice(-1000);
  const limit = count + shown.size;
  const { movies } = person.userId
    ? await ask(of(person.userId, "onboarding"), { query: { limit, not_seen } })
    : await ask("/lists/popular", { query: { limit: limit + not_seen.length } });
  return movies.filter(({ movie_id: id }) => !shown.has(String(id)) && !person.notSeen.has(String(id))).slice(0, count);
}

async function currentList() {
  if (person.userId && person.ratings.size) {
    return (await ask(of(person.userId, "recommendations"), { query: { limit: LIST } })).recommendations;
  }
  return (await ask("/recommendations", { body: { ratings: [], limit: LIST } })).recommendations;
}

function useWall() {
  const [wall, setWall] = useState(null);
  const [failure, setFailure] = useState(null);
  const { ready } = usePerson();
  const fill = (kept, count) => nextFilms(kept, count).then((films) => setWall([...kept, ...films]), setFailure);
  useEffect(() => void (ready && !wall && fill([], WALL)), [ready]);
  // One film goes, the next one takes its place, the others stay where they are.
  async function replace(film) {
    const [next] = await nextFilms(wall, 1);
    setWall((now) => now.flatMap((one) => (one.movie_id === film.movie_id ? (next ?? []) : one)));
    return () => setWall((now) => now.map((one) => (one === next ? film : one)));
  }
  const renew = () => fill([], WALL);
  return { wall, failure, replace, renew };
}

function useList() {
  const [list, setList] = useState(null);
  const turn = useRef(0); // of two answers, the one to the newer rating is shown
  const { ready } = usePerson();
  async function follow(change) {
    const mine = ++turn.current;
    const answer = await change();
    const next = answer?.recommendations ?? (await currentList());
    if (mine === turn.current) setList(next);
  }
  useEffect(() => void (ready && follow(() => null)), [ready]);
  return { list, follow };
}

function WallCard({ film, onRate, onNotSeen }) {
  return html`<${FilmCard} film=${film}>
    <${StarsInput} film=${film} value=${starsOf(film)} onRate=${onRate} />
    <button class="link-button" onClick=${onNotSeen} aria-label=${`Haven't seen ${nameOf(film)}`}>Haven't seen it</button>
  <//>`;
}

function List({ list }) {
  const moves = useMoves();
  if (!list) return html`<div class="list-waiting" aria-hidden="true"></div>`;
  return html`<ol class="rows" ref=${moves}>
    ${list.map(
      (film) => html`<li key=${film.movie_id} data-key=${film.movie_id}>
        <${FilmRow} film=${film} rank=${film.rank}>
          <span class="predicted-stars"><${Icon} name="star" filled /><span class="hidden">Predicted stars: </span>${starsText(film.stars)}</span>
        <//>
      </li>`,
    )}
  </ol>`;
}

// Where the list lies below the wall: what leads it, always in sight, and the way to the rest.
function Peek({ list }) {
  if (!list?.length) return null;
  return html`<a class="peek" href="#list">
    <span class="peek-best"><span class="quiet">Your list:</span> ${list.slice(0, 3).map(({ title }) => titleOf(title)).join(", ")}</span>
    <${Icon} name="down" />
  </a>`;
}

function standing(count) {
  if (!count) return "Nothing rated yet: this is what most people would get.";
  if (count < ENOUGH) return `${count} rated. ${ENOUGH - count} more and the list is really yours.`;
  return `${count} rated. Every further one sharpens the list.`;
}

export default function Rate() {
  const { ratings, ready } = usePerson();
  const { wall, failure, replace, renew } = useWall();
  const { list, follow } = useList();

  function give(film, stars) {
    const before = starsOf(film);
    const put = (value) => follow(() => (value === null ? unrate(film) : rate(film, value, { recommend: LIST })));
    const undo = () => put(before);
    say(stars === null ? `${nameOf(film)} is not rated any more.` : `${nameOf(film)}: ${givenText(stars)}.`, { undo });
    return put(stars);
  }

  async function skip(film) {
    setNotSeen(film);
    const putBack = await replace(film);
    say(`${nameOf(film)} is not asked for again.`, {
      undo: () => {
        setNotSeen(film, false);
        putBack();
      },
    });
  }

  return html`<div class="page rate">
    <section class="rate-wall" aria-labelledby="wall-title">
      <h1 id="wall-title">What have you seen?</h1>
      <p class="lead">Give stars to films that you know. Your list follows each of them.</p>
      ${failure && html`<${Failure} error=${failure} retry=${renew} />`}
      <div class="wall" aria-busy=${!wall}>
        ${(wall ?? Array(WALL).fill(null)).map((film, place) =>
          film
            ? html`<${WallCard} key=${film.movie_id} film=${film} onRate=${(stars) => give(film, stars)} onNotSeen=${() => skip(film)} />`
            : html`<div key=${`waiting-${place}`} class="card waiting" aria-hidden="true"></div>`,
        )}
      </div>
      <p class="wall-more"><button class="button quiet" onClick=${renew} disabled=${!wall}>Show other films</button></p>
      <${Peek} list=${list} />
    </section>
    <aside class="rate-list" aria-labelledby="list-title" id="list">
      <h2 id="list-title">Your list</h2>
      <p class="standing" role="status">${ready ? standing(ratings.size) : " "}</p>
      <${List} list=${list} />
      <p><a class="button" href="/for-you">See all, with reasons</a></p>
    </aside>
  </div>`;
}
