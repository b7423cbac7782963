import { Account } from "./pages/account.js";
import { Home } from "./pages/home.js";
import { NotHere } from "./pages/not-here.js";
import { Plans } from "./pages/plans.js";
import { SetUp } from "./pages/set-up.js";
import { SignIn } from "./pages/sign-in.js";
import { Title } from "./pages/title.js";
import { later } from "./ui/later.js";

/** @typedef {{component: any, props: Record<string, string>, title: string, bare?: boolean, redirect?: string}} Shown */

/** Player and library bring libraries of their own, which no other page should wait for. */
const Watch = later(() => import("./pages/watch.js").then((module) => module.Watch));
const Admin = later(() => import("./pages/admin.js").then((module) => module.Admin));

/**
 * @typedef {object} Route
 * @property {RegExp} path its named groups become properties of the page
 * @property {any} component
 * @property {string} title
 * @property {"anyone" | "staff"} [who] members only, where nothing is said
 * @property {boolean} [bare] the page has no bar
 */

/** @type {Route[]} */
const ROUTES = [
  { path: /^\/$/, component: Home, title: "" },
  { path: /^\/title\/(?<videoId>[^/]+)$/, component: Title, title: "Film" },
  { path: /^\/watch\/(?<videoId>[^/]+)$/, component: Watch, title: "Playing", bare: true },
  { path: /^\/plans$/, component: Plans, title: "Plans" },
  { path: /^\/account$/, component: Account, title: "Account" },
  { path: /^\/admin$/, component: Admin, title: "Library", who: "staff" },
  { path: /^\/sign-in$/, component: SignIn, title: "Sign in", who: "anyone" },
  { path: /^\/set-up$/, component: SetUp, title: "Set up", who: "anyone" },
];

/**
 * The page at a path for whoever is there, or where to send them instead.
 * @param {string} path
 * @param {import("./session.js").Session} who
 * @returns {Shown}
 */
export function pageFor(path, who) {
  const route = ROUTES.find((candidate) => candidate.path.test(path));
  if (!route) return { component: NotHere, props: {}, title: "Not here" };
  const props = { ...route.path.exec(path)?.groups };
  const shown = { component: route.component, props, title: route.title, bare: route.bare ?? false };
  const redirect = redirectFor(route, path, who);
  if (redirect) return { ...shown, redirect };
  const staff = who.state === "in" && who.account.role !== "member";
  return route.who === "staff" && !staff ? { component: NotHere, props: {}, title: "Not here" } : shown;
}

/**
 * @param {Route} route
 * @param {string} path
 * @param {import("./session.js").Session} who
 * @returns {string | undefined}
 */
function redirectFor(route, path, who) {
  if (who.state === "new" && path !== "/set-up") return `/set-up${location.hash}`;
  if (who.state === "out" && (route.who !== "anyone" || path === "/set-up")) {
    const next = path === "/" || path === "/set-up" ? "" : `?next=${encodeURIComponent(path + location.search)}`;
    return `/sign-in${next}`;
  }
  if (who.state === "in" && route.who === "anyone") return safeNext(new URLSearchParams(location.search).get("next"));
  return undefined;
}

/**
 * @param {string | null} next where the visitor wanted to go
 * @returns {string} that path if it is one of ours, the films otherwise
 */
function safeNext(next) {
  return next && /^\/(?![/\\])/.test(next) ? next : "/";
}
