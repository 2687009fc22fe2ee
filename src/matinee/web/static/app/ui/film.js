// How films are written: names as people say them, numbers as people read them.

const ARTICLES = /^(.*), (The|A|An|Le|La|Les|L'|Il|Lo|El|Los|Las|Der|Die|Das|Un|Une|Ein|Eine)$/;

function spoken(name) {
  const [, rest, article] = name.match(ARTICLES) ?? [];
  if (!rest) return name;
  return article.endsWith("'") ? article + rest : `${article} ${rest}`;
}

// A data set's "Matrix, The" is "The Matrix"; what stands in brackets is another name.
export function nameOf(film) {
  return namesOf(film).name;
}

// { name, main, sub, other }: "Star Wars: Episode IV" is main "Star Wars" and sub "Episode IV".
export function namesOf({ name: written }) {
  const [, first, other] = written.match(/^(.+?) \((.+)\)$/) ?? [null, written, ""];
  const name = spoken(first);
  const [, main, sub] = name.match(/^(.{3,}?)(?:: | - )(.+)$/) ?? [null, name, ""];
  return { name, main, sub, other: spoken(other.replace(/^a\.?k\.?a\.? /i, "")) };
}

// As `nameOf`, where only the data set's title is at hand.
export const titleOf = (title) => nameOf({ name: title.replace(/ \(\d{4}\)$/, "") });

export const addressOf = (film) => `/film/${encodeURIComponent(film.movie_id)}`;

const genresOf = (film) => film.genres.filter((genre) => genre !== "(no genres listed)");
export const genresText = (film) => genresOf(film).join(", ");

const one = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat("en");
const percent = new Intl.NumberFormat("en", { style: "percent" });

export const starsText = (stars) => one.format(stars);
export const givenText = (stars) => `${plain.format(stars)} ${stars === 1 ? "star" : "stars"}`;
export const percentText = (share) => percent.format(share);

// "likely 3.5 to 5"; "" where the model knows no interval.
export function likely({ stars_low, stars_high }) {
  return stars_low === null ? "" : `likely ${plain.format(stars_low)} to ${plain.format(stars_high)}`;
}

export function ratingsText(count) {
  return count === 1 ? "1 rating" : `${whole.format(count)} ratings`;
}
