// The menu: further pages, light or dark, and this browser's person: to another browser, or forgotten.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../html.js";
import { pages } from "../pages.js";
import { go } from "../router.js";
import { forget, makeLink, usePerson } from "../state.js";
import { Dialog } from "./dialog.js";
import { Icon } from "./icons.js";
import { say } from "./toast.js";

const THEMES = [
  ["auto", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

function Theme() {
  const [theme, setTheme] = useState(document.documentElement.dataset.theme);
  function choose(name) {
    document.documentElement.dataset.theme = name;
    localStorage.setItem("matinee-theme", name);
    setTheme(name);
  }
  return html`<fieldset class="segments">
    <legend>Colours</legend>
    ${THEMES.map(
      ([name, label]) => html`<label key=${name}>
        <input type="radio" name="theme" checked=${theme === name} onChange=${() => choose(name)} /><span>${label}</span>
      </label>`,
    )}
  </fieldset>`;
}

function LinkDialog({ onClose }) {
  const [link, setLink] = useState(null);
  const field = useRef();
  useEffect(() => {
    makeLink().then(setLink, (error) => {
      say(error.message, { bad: true });
      onClose();
    });
  }, []);
  async function copy() {
    field.current.select();
    await navigator.clipboard?.writeText(link.address);
    say("The address is copied.");
  }
  return html`<${Dialog} title="Use another browser" onClose=${onClose}>
    <p>Open this address there. It works once, for 15 minutes; whoever opens it sees and changes your ratings.</p>
    <div class="field-row">
      <input ref=${field} class="field" readonly aria-label="Address for the other browser" value=${link?.address ?? "…"} />
      <button class="button" disabled=${!link} onClick=${copy}>Copy</button>
    </div>
  <//>`;
}

function ForgetDialog({ onClose }) {
  const [busy, setBusy] = useState(false);
  async function confirm() {
    setBusy(true);
    await forget().then(() => {
      say("You are forgotten: ratings, marks and links are gone.");
      go("/");
    }, (error) => say(error.message, { bad: true }));
    onClose();
  }
  return html`<${Dialog} title="Forget me" onClose=${onClose}>
    <p>Every rating, mark and import of yours is deleted here for good. No model holds you. There is no way back.</p>
    <div class="dialog-actions">
      <button class="button quiet" onClick=${onClose}>Keep everything</button>
      <button class="button danger" disabled=${busy} onClick=${confirm}>Forget me</button>
    </div>
  <//>`;
}

export function Menu({ address }) {
  const { userId } = usePerson();
  const [dialog, setDialog] = useState(null);
  const panel = useRef();
  useLayoutEffect(() => {
    panel.current.popover = "auto"; // before the first painting, in which it would be seen
  }, []);
  useEffect(() => {
    if (panel.current.matches(":popover-open")) panel.current.hidePopover();
  }, [address.path]);
  const open = (name) => {
    panel.current.hidePopover();
    setDialog(name);
  };
  const close = () => setDialog(null);
  return html`<button class="icon-button menu-button" aria-label="Menu" onClick=${() => panel.current.togglePopover()}><${Icon} name="menu" /></button>
    <div id="menu" class="menu" ref=${panel}>
      <ul>
        ${pages
          .filter((page) => page.more)
          .map(
            (page) => html`<li key=${page.path}>
              <a href=${page.path} aria-current=${page.path === address.path ? "page" : null}>${page.more}</a>
            </li>`,
          )}
      </ul>
      <${Theme} />
      <ul>
        <li><button onClick=${() => open("link")}>Use another browser…</button></li>
        ${userId && html`<li><button onClick=${() => open("forget")}>Forget me…</button></li>`}
      </ul>
    </div>
    ${dialog === "link" && html`<${LinkDialog} onClose=${close} />`}
    ${dialog === "forget" && html`<${ForgetDialog} onClose=${close} />`}`;
}
