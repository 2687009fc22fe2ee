// The shell: header, navigation, the page of the address, and what hovers over all of them.
import { html, render, useEffect, useRef, useState } from "./html.js";
import { pages } from "./pages.js";
import { match, restoreScroll, startRouting, useAddress } from "./router.js";
import { load } from "./state.js";
import { Failure } from "./ui/empty.js";
import { Icon } from "./ui/icons.js";
import { Menu } from "./ui/menu.js";
import { SearchBox } from "./ui/search-box.js";
import { say, Toasts } from "./ui/toast.js";

const modules = new Map(); // page components by pattern, once they are there

function Links({ address }) {
  return pages
    .filter((page) => page.nav)
    .map(
      (page) => html`<li key=${page.path}>
        <a href=${page.path} aria-current=${page.path === address.path ? "page" : null}>
          <${Icon} name=${page.icon} /><span>${page.nav}</span>
        </a>
      </li>`,
    );
}

function Header({ address }) {
  return html`<header class="top">
    <a class="brand" href="/" aria-label="matinee, first page">
      <${Icon} name="brand" /><span>matinee</span>
    </a>
    <nav class="tabs" aria-label="Pages"><ul><${Links} address=${address} /></ul></nav>
    <${SearchBox} address=${address} />
    <a class="icon-button find" href="/search" aria-label="Search films"><${Icon} name="search" /></a>
    <${Menu} address=${address} />
  </header>`;
}

function Page({ address }) {
  const { page, params } = match(pages, address.path) ?? {};
  const [failure, setFailure] = useState(null);
  const [, again] = useState(0);
  useEffect(() => {
    document.title = `${page?.title ?? "Nothing here"} · matinee`;
    if (!page || modules.has(page.path)) return;
    setFailure(null);
    page
      .load()
      .then((module) => modules.set(page.path, module.default))
      .then(() => again((turn) => turn + 1), setFailure);
  }, [page]);
  if (!page) return html`<${Nothing} />`;
  const Shown = modules.get(page.path);
  if (Shown) return html`<${Shown} key=${address.path} params=${params} address=${address} />`;
  return failure ? html`<${Outdated} />` : html`<div class="page" aria-busy="true"></div>`;
}

function Nothing() {
  return html`<div class="page narrow">
    <h1>There is no such page</h1>
    <p>The address may be mistyped. <a href="/">Rate films</a>, or <a href="/for-you">see what is for you</a>.</p>
  </div>`;
}

// A page's module that is not there any more: matinee was updated while this window was open.
function Outdated() {
  return html`<div class="page narrow">
    <h1>This page could not be loaded</h1>
    <p>matinee does not answer, or was updated since this window was opened.</p>
    <p><button class="button" onClick=${() => location.reload()}>Load again</button></p>
  </div>`;
}

function Credit() {
  return html`<footer class="credit quiet">Posters from <a href="https://www.themoviedb.org" rel="noreferrer" target="_blank">TMDB</a>. This product uses the TMDB API but is not endorsed or certified by TMDB.</footer>`;
}

function App() {
  const address = useAddress();
  const main = useRef();
  const first = useRef(true);
  const [failure, setFailure] = useState(null);
  useEffect(() => void load().catch(setFailure), []);
  useEffect(() => {
    if (!first.current) main.current.focus({ preventScroll: true });
    first.current = false;
    requestAnimationFrame(restoreScroll);
  }, [address.path]);
  return html`<a class="skip" href="#main">Skip to the page</a>
    <${Header} address=${address} />
    <main id="main" ref=${main} tabindex="-1">
      ${failure && html`<${Failure} error=${failure} />`}
      <${Page} address=${address} />
    </main>
    ${document.documentElement.dataset.posters && html`<${Credit} />`}
    <${Toasts} />`;
}

addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  if (event.reason?.name !== "AbortError") say(event.reason?.message ?? String(event.reason), { bad: true });
});
startRouting();
render(html`<${App} />`, document.getElementById("app"));
