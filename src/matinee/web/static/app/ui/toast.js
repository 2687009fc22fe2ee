// Short words about what was done, with a way back, read out by screen readers.
import { html, useEffect, useState } from "../html.js";
import { Icon } from "./icons.js";

const SHOWN_MS = 9000;
let current = null;
let show = () => {};

// Say `text`; `undo`: what takes it back; `bad`: it went wrong.
export function say(text, { undo, bad = false } = {}) {
  current = { text, undo, bad, turn: (current?.turn ?? 0) + 1 };
  show(current);
}

export function Toasts() {
  const [toast, setToast] = useState(null);
  const [held, setHeld] = useState(false);
  useEffect(() => {
    show = setToast;
  }, []);
  useEffect(() => {
    if (!toast || held) return undefined;
    const timer = setTimeout(() => setToast(null), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [toast, held]);
  const undo = () => {
    setToast(null);
    toast.undo();
  };
  return html`<div
    class="toasts"
    role="status"
    onMouseEnter=${() => setHeld(true)}
    onMouseLeave=${() => setHeld(false)}
    onFocusIn=${() => setHeld(true)}
    onFocusOut=${() => setHeld(false)}
  >
    ${toast &&
    html`<div class=${`toast ${toast.bad ? "bad" : ""}`} key=${toast.turn}>
      <span>${toast.text}</span>
      ${toast.undo && html`<button class="toast-undo" onClick=${undo}><${Icon} name="undo" />Undo</button>`}
      <button class="icon-button small" aria-label="Close this message" onClick=${() => setToast(null)}>
        <${Icon} name="close" />
      </button>
    </div>`}
  </div>`;
}
