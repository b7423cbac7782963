import { Store } from "./store.js";

/** @typedef {{path: string, query: URLSearchParams, hash: string}} Place */

/** @returns {Place} */
function here() {
  return { path: location.pathname, query: new URLSearchParams(location.search), hash: location.hash };
}

/** Where the page is. */
export const place = new Store(here());

const STILL = matchMedia("(prefers-reduced-motion: reduce)");

/** How many pages of this application lie behind the present one. */
function depth() {
  return Number(history.state?.depth ?? 0);
}

/** @param {Place} next */
function show(next) {
  const paths = [place.value.path, next.path];
  // Never into or out of the player: there, the first picture is what counts.
  const plain = STILL.matches || paths[0] === paths[1] || paths.some((path) => path.startsWith("/watch/"));
  if (plain || !("startViewTransition" in document)) {
    place.set(next);
    return;
  }
  document.startViewTransition(async () => {
    place.set(next);
    await new Promise((drawn) => setTimeout(drawn));
  });
}

/**
 * Go to a page of this application.
 * @param {string} url path with query and hash
 * @param {{replace?: boolean}} [options]
 */
export function navigate(url, { replace = false } = {}) {
  if (replace) {
    history.replaceState({ scroll: 0, depth: depth(), from: history.state?.from }, "", url);
  } else {
    const next = depth() + 1;
    history.replaceState({ ...history.state, scroll: scrollY, depth: depth() }, "");
    history.pushState({ scroll: 0, depth: next, from: location.pathname }, "", url);
  }
  show(here());
  scrollTo(0, 0);
}

/**
 * Back to where the visitor came from inside this application, or to `fallback` when they came from elsewhere.
 * @param {string} fallback
 */
export function goBack(fallback) {
  if (depth() > 0) history.back();
  else navigate(fallback, { replace: true });
}

/**
 * On to a page instead of the present one; back to it where the visitor came from there.
 * @param {string} path
 */
export function returnTo(path) {
  if (depth() > 0 && history.state?.from === path) history.back();
  else navigate(path, { replace: true });
}

/** @param {MouseEvent} event */
function followLink(event) {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || link.target || link.origin !== location.origin || link.hasAttribute("download")) return;
  if (/^\/(api|media|static|vendor|docs|healthz|readyz|metrics)(\/|$)/.test(link.pathname)) return;
  if (link.pathname === location.pathname && link.hash) return;
  event.preventDefault();
  navigate(link.pathname + link.search + link.hash);
}

/** Take over links inside the application and the browser's back and forward buttons. */
export function startRouter() {
  history.scrollRestoration = "manual";
  document.addEventListener("click", followLink);
  addEventListener("popstate", (event) => {
    show(here());
    const top = Number(event.state?.scroll ?? 0);
    requestAnimationFrame(() => requestAnimationFrame(() => scrollTo(0, top)));
  });
}
