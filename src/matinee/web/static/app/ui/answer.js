// The service's answer to a question of a page.
import { useEffect, useState } from "../html.js";

// Ask again when `reasons` change; the older answer stays until the newer one is there. `question` returns a promise, null
// where there is nothing to ask, undefined while it is too early to say. Returns { answer, failure, waiting }.
export function useAnswer(question, reasons) {
  const [state, setState] = useState({ answer: null, failure: null, waiting: true });
  useEffect(() => {
    const asked = question();
    if (asked === undefined) return undefined;
    let stale = false;
    const settle = (change) => stale || setState((now) => ({ ...now, failure: null, ...change, waiting: false }));
    setState((now) => (now.waiting ? now : { ...now, waiting: true }));
    Promise.resolve(asked).then((answer) => settle({ answer }), (failure) => settle({ failure }));
    return () => {
      stale = true;
    };
  }, reasons);
  return state;
}
