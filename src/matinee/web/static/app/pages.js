// The pages, one line each: address, title, module, and the name under which the navigation shows it: `nav` in the bar
// that is always there, `more` in the menu. A module's default export draws the page, with `params` from the address and
// the `address` itself. The service answers the same addresses (web/page.py).
export const pages = [
  { path: "/", title: "Rate films", nav: "Rate", icon: "star", load: () => import("./pages/rate.js") },
  { path: "/for-you", title: "For you", nav: "For you", icon: "ticket", load: () => import("./pages/for-you.js") },
  { path: "/search", title: "Search", load: () => import("./pages/search.js") },
  { path: "/film/:id", title: "Film", load: () => import("./pages/film.js") },
  { path: "/join", title: "Another browser", load: () => import("./pages/join.js") },
  { path: "/taste", title: "Your taste", nav: "Taste", icon: "palette", load: () => import("./pages/taste.js") },
  { path: "/movie-night", title: "Movie night", nav: "Movie night", icon: "people", load: () => import("./pages/movie-night.js") },
  { path: "/my-films", title: "Your films", more: "Your films", load: () => import("./pages/my-films.js") },
  { path: "/import", title: "Import and export", more: "Import and export", load: () => import("./pages/import.js") },
  { path: "/operator", title: "Behind the curtain", more: "Behind the curtain (operator)", load: () => import("./pages/operator.js") },
];
