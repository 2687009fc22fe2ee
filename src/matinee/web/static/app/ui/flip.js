// Cards that change places are seen to move: where they were is measured before a drawing, the way from there shown after
// it. Nothing moves for people who asked their system for less motion.
import { useLayoutEffect, useRef } from "../html.js";

const MOVE = { duration: 380, easing: "cubic-bezier(.2, .8, .2, 1)" };
const calm = matchMedia("(prefers-reduced-motion: reduce)");

// Returns a ref for the list; its children tell by `data-key` which is which.
export function useMoves() {
  const list = useRef();
  const before = useRef(new Map());
  useLayoutEffect(() => {
    const places = new Map();
    for (const item of list.current?.children ?? []) places.set(item.dataset.key, item.offsetTop);
    if (!calm.matches && before.current.size) move(list.current, before.current, places);
    before.current = places;
  });
  return list;
}

function move(list, before, places) {
  for (const item of list.children) {
    const was = before.get(item.dataset.key);
    const from = was === undefined ? { opacity: 0, transform: "translateY(1.5rem)" } : { transform: `translateY(${was - places.get(item.dataset.key)}px)` };
    if (was !== places.get(item.dataset.key)) item.animate([from, { transform: "none" }], MOVE);
  }
}
