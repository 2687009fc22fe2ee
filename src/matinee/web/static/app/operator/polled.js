// Answers that are asked for again and again.
import { useEffect, useState } from "../html.js";

export const EVERY_MS = 2000;

// Ask again and again; null before the first answer.
export function usePolled(work, every, deps) {
  const [state, setState] = useState({ answer: null, failure: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let timer;
    let over = false;
    async function look() {
      try {
        const answer = await work();
        if (!over) setState({ answer, failure: null });
      } catch (failure) {
        if (!over) setState((now) => ({ ...now, failure }));
      }
      if (!over) timer = setTimeout(look, every);
    }
    look();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [...deps, turn]);
  return { ...state, again: () => setTurn((now) => now + 1) };
}
