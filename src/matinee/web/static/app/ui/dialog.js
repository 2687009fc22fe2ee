// A question that has to be answered first; Escape and a click beside it close it.
import { html, useEffect, useRef } from "../html.js";
import { Icon } from "./icons.js";

export function Dialog({ title, onClose, children }) {
  const dialog = useRef();
  useEffect(() => dialog.current.showModal(), []);
  const beside = (event) => event.target === dialog.current && onClose();
  return html`<dialog ref=${dialog} class="dialog" aria-labelledby="dialog-title" onClose=${onClose} onClick=${beside}>
    <div class="dialog-inner">
      <header>
        <h2 id="dialog-title">${title}</h2>
        <button class="icon-button" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button>
      </header>
      ${children}
    </div>
  </dialog>`;
}
