// The first page: films to rate on the left, the list that follows from them on the right. Titles go in as text only.
const LIST_LENGTH = 10;
const FILMS_SHOWN = 12;
const SEARCH_DELAY_MS = 200;
const HALF_STARS = Array.from({ length: 10 }, (_, place) => (place + 1) / 2);

const element = (id) => document.getElementById(id);
const mine = new Map(); // stars by movie id
let userId = localStorage.getItem("matinee-user");
let groups = 0;
let turn = 0; // of two answers, the one to the newer rating is shown

async function ask(path, body) {
  const options = body && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  const response = await fetch(path, options);
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.detail), { status: response.status });
  return answer;
}

function make(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function say(text) {
  element("status").textContent = text;
}

function starsFor(film) {
  const group = make("fieldset", "stars");
  const name = `stars-${groups++}`;
  group.setAttribute("aria-label", `Stars for ${film.title}`);
  const light = (upTo) =>
    group.querySelectorAll("label").forEach((label) => label.classList.toggle("lit", Number(label.dataset.stars) <= upTo));
  for (const stars of HALF_STARS) {
    const label = make("label", stars % 1 ? "left" : "right");
    const input = Object.assign(make("input"), { type: "radio", name, value: stars, checked: mine.get(film.movie_id) === stars });
    input.setAttribute("aria-label", `${stars} stars`);
    input.addEventListener("change", () => rate(film, stars).catch((error) => say(error.message)));
    label.dataset.stars = stars;
    label.title = `${stars} stars`;
    label.append(input, make("span", "", "★"));
    label.addEventListener("mouseenter", () => light(stars));
    group.append(label);
  }
  group.addEventListener("mouseleave", () => light(mine.get(film.movie_id) ?? 0));
  group.addEventListener("change", () => light(mine.get(film.movie_id) ?? 0));
  light(mine.get(film.movie_id) ?? 0);
  return group;
}

function card(film, facts) {
  const item = make("li", "film");
  item.dataset.movie = film.movie_id;
  const words = make("div");
  const name = make("div", "name", film.name);
  if (film.year) name.append(" ", make("span", "year", film.year));
  words.append(name, make("div", "facts", facts));
  item.append(words, starsFor(film));
  return item;
}

async function showFilms(query) {
  const search = new URLSearchParams({ limit: FILMS_SHOWN, ...(query && { q: query }) });
  const { movies } = await ask(`/api/v1/movies?${search}`);
  if (query !== element("q").value.trim()) return; // an older search came back late
  const cards = movies.map((film) => card(film, film.genres.join(", ")));
  element("films").replaceChildren(...(cards.length ? cards : [make("li", "facts", "No film with such a title.")]));
}

function within(film) {
  if (film.stars_low === null) return "";
  return ` (${film.stars_low.toFixed(1)} to ${film.stars_high.toFixed(1)} with 90 % probability)`;
}

function showList(recommendations) {
  const before = new Set([...element("list").children].map((item) => item.dataset.movie));
  const cards = recommendations.map((film) => {
    const item = card(film, `${film.stars.toFixed(1)} stars for you${within(film)} · ${film.genres.join(", ")}`);
    item.classList.toggle("new", !before.has(item.dataset.movie));
    return item;
  });
  element("list").replaceChildren(...cards);
}

function sayHowMany() {
  say(`After ${mine.size} ${mine.size === 1 ? "rating" : "ratings"}, these are for you:`);
}

async function rate(film, stars) {
  mine.set(film.movie_id, stars);
  const asked = ++turn;
  if (!userId) {
    ({ user_id: userId } = await ask("/api/v1/users", {}));
    localStorage.setItem("matinee-user", userId);
  }
  const ratings = [{ movie_id: film.movie_id, stars }];
  const answer = await ask(`/api/v1/users/${encodeURIComponent(userId)}/ratings`, { ratings, recommend: LIST_LENGTH });
  if (asked !== turn) return;
  showList(answer.recommendations);
  sayHowMany();
}

async function resume() {
  if (!userId) return;
  const path = `/api/v1/users/${encodeURIComponent(userId)}`;
  try {
    const { ratings } = await ask(`${path}/ratings?limit=1000`);
    ratings.forEach((film) => mine.set(film.movie_id, film.stars));
    if (!mine.size) return;
    showList((await ask(`${path}/recommendations?limit=${LIST_LENGTH}`)).recommendations);
    sayHowMany();
  } catch (error) {
    if (error.status !== 404) throw error;
    localStorage.removeItem("matinee-user"); // another database answers now
    userId = null;
  }
}

let waiting;
element("q").addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => showFilms(element("q").value.trim()).catch((error) => say(error.message)), SEARCH_DELAY_MS);
});
element("search").addEventListener("submit", (event) => event.preventDefault());
resume()
  .then(() => showFilms(""))
  .catch((error) => say(error.message));
