// Which part of the map is seen: `scale` is pixels per unit, `x` and `y` the place in pixels of the map's origin.
const MOST = 24; // times as near as the whole map
const EDGE = 0.06; // of the smaller side stays free around it

// The bounds of films: { left, right, top, bottom } in the map's own units.
export function boundsOf(films) {
  const xs = films.map((film) => film.x);
  const ys = films.map((film) => film.y);
  return { left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
}

// The view that holds all of `bounds`.
export function whole(bounds, { width, height }) {
  const room = 1 - 2 * EDGE;
  const across = Math.max(bounds.right - bounds.left, 1e-6);
  const down = Math.max(bounds.bottom - bounds.top, 1e-6);
  const stretch = { sx: (width * room) / across, sy: (height * room) / down };
  return { ...stretch, times: 1, x: width / 2 - ((bounds.left + bounds.right) / 2) * stretch.sx, y: height / 2 - ((bounds.top + bounds.bottom) / 2) * stretch.sy };
}

export const project = (view, { x, y }) => [view.x + x * view.sx, view.y + y * view.sy];

// Zoom by `factor` so that what is at pixel [px, py] stays there.
export function zoomAt(view, factor, [px, py]) {
  const times = Math.min(MOST, Math.max(1, view.times * factor));
  const by = times / view.times;
  return { times, sx: view.sx * by, sy: view.sy * by, x: px - (px - view.x) * by, y: py - (py - view.y) * by };
}

export const pan = (view, dx, dy) => ({ ...view, x: view.x + dx, y: view.y + dy });

// The view that shows a film in the middle where it would lie outside, otherwise the same view.
export function bring(view, film, { width, height }) {
  const [px, py] = project(view, film);
  const inside = px > 30 && py > 30 && px < width - 30 && py < height - 30;
  return inside ? view : pan(view, width / 2 - px, height / 2 - py);
}

// The film next to a pixel, no further than `reach` pixels from it; null where there is none.
export function nearest(view, films, [px, py], reach = 18) {
  let found = null;
  let least = reach * reach;
  for (const film of films) {
    const [x, y] = project(view, film);
    const apart = (x - px) ** 2 + (y - py) ** 2;
    if (apart < least) [found, least] = [film, apart];
  }
  return found;
}

// The film that one gets to from `film` in a direction [dx, dy]: near, and more ahead than aside.
export function towards(view, films, film, [dx, dy]) {
  const [px, py] = project(view, film);
  let found = null;
  let least = Infinity;
  for (const one of films) {
    const [x, y] = project(view, one);
    const ahead = (x - px) * dx + (y - py) * dy;
    const aside = Math.abs((x - px) * dy) + Math.abs((y - py) * dx);
    if (one === film || ahead <= 0.5 || aside > ahead) continue;
    if (ahead + 2 * aside < least) [found, least] = [one, ahead + 2 * aside];
  }
  return found ?? film;
}

// Labels that do not cover each other: `boxes` are { left, right, top, bottom }, the most important first.
export function clear(boxes) {
  const kept = [];
  for (const box of boxes) {
    const covered = kept.some((one) => box.left < one.right && one.left < box.right && box.top < one.bottom && one.top < box.bottom);
    if (!covered) kept.push(box);
  }
  return kept;
}
