// What stands where there is nothing to show: because there is nothing, because it is on its way, or because it failed.
import { html } from "../html.js";

export function Empty({ title, children }) {
  return html`<div class="empty"><h2>${title}</h2>${children}</div>`;
}

// `retry`: asks again.
export function Failure({ error, retry }) {
  return html`<div class="empty failure" role="alert">
    <p>${error.message}</p>
    ${retry && html`<button class="button" onClick=${retry}>Try again</button>`}
  </div>`;
}
