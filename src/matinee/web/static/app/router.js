// Addresses: which page draws them, moving between them without loading anew, and the way back.
import { useEffect, useState } from "./html.js";

let here = parsed();
const listeners = new Set();

function parsed() {
  return { path: location.pathname, query: new URLSearchParams(location.search), hash: location.hash.slice(1) };
}

function announce(moved) {
  here = parsed();
  listeners.forEach((listener) => listener(here, moved));
}

// Go to an address of the app. `replace`: the way back leaves out where we are now.
export function go(address, { replace = false } = {}) {
  if (address === location.pathname + location.search + location.hash) return;
  const moved = new URL(address, location.href).pathname !== location.pathname;
  if (replace) history.replaceState(history.state, "", address);
  else {
    history.replaceState({ ...history.state, scroll: scrollY }, "");
    history.pushState({}, "", address);
  }
  announce(moved);
  if (moved) scrollTo(0, 0);
}

// Change the query of the page we are on: { name: value or list }; empty values leave the address.
export function setQuery(changes, options) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    query.delete(name);
    for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") query.append(name, one);
  }
  go(location.pathname + (query.size ? `?${query}` : ""), options);
}

// The address as { path, query, hash }; the component is drawn again when it changes.
export function useAddress() {
  const [address, setAddress] = useState(here);
  useEffect(() => {
    listeners.add(setAddress);
    setAddress(here);
    return () => listeners.delete(setAddress);
  }, []);
  return address;
}

// Put the page where it was left when somebody comes back to it; called by a page once its content is there.
export function restoreScroll() {
  if (history.state?.scroll) scrollTo(0, history.state.scroll);
}

// The page of a path: { page, params }, or undefined. Patterns: "/film/:id".
export function match(pages, path) {
  for (const page of pages) {
    const names = [];
    const pattern = page.path.replace(/:(\w+)/g, (_, name) => names.push(name) && "(.+)");
    const found = path.match(new RegExp(`^${pattern}$`));
    if (found) return { page, params: Object.fromEntries(names.map((name, place) => [name, decodeURIComponent(found[place + 1])])) };
  }
  return undefined;
}

// Links of the app move within it; those that open elsewhere, downloads and other hosts stay what they are.
function followed(event) {
  const link = event.target.closest?.("a[href]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (link.pathname.startsWith("/api/") || link.getAttribute("href").startsWith("#")) return;
  event.preventDefault();
  go(link.pathname + link.search + link.hash);
}

export function startRouting() {
  history.scrollRestoration = "manual";
  addEventListener("popstate", () => announce(location.pathname !== here.path));
  addEventListener("beforeunload", () => history.replaceState({ ...history.state, scroll: scrollY }, ""));
  document.addEventListener("click", followed);
}
