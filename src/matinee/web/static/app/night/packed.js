// Somebody's ratings inside an address: nothing is kept anywhere, and whoever has the address can plan a night with them,
// not act for them. The address holds a name and stars, deflated, in the letters that addresses are made of.
const MOST = 400; // ratings; addresses should stay below some thousand letters

async function through(stream, bytes) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

// `ratings`: [{ movie_id, stars }], the newest first.
export async function pack(name, ratings) {
  const text = JSON.stringify({ name, ratings: ratings.slice(0, MOST).map(({ movie_id, stars }) => [movie_id, stars]) });
  const bytes = await through(new CompressionStream("deflate-raw"), new TextEncoder().encode(text));
  const letters = btoa(String.fromCharCode(...bytes));
  return letters.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

// { name, ratings } of what `pack` made; null for anything else, whatever it is.
export async function unpack(letters) {
  try {
    const binary = atob(letters.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = await through(new DecompressionStream("deflate-raw"), Uint8Array.from(binary, (letter) => letter.charCodeAt(0)));
    const { name, ratings } = JSON.parse(new TextDecoder().decode(bytes));
    const clean = ratings.slice(0, MOST).map(([movie_id, stars]) => ({ movie_id, stars: Number(stars) }));
    if (!clean.length || !clean.every(({ movie_id, stars }) => ["string", "number"].includes(typeof movie_id) && stars > 0)) return null;
    return { name: String(name).slice(0, 40), ratings: clean };
  } catch {
    return null;
  }
}

// What stands after "#with=" in an address, or the whole text where it is only that; null for other texts.
export function packedIn(text) {
  return text.match(/#with=([\w-]+)\s*$/)?.[1] ?? null;
}
