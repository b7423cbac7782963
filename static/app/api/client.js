import { asProblem, problemOf } from "./problem.js";
import { refreshSession, rememberSession } from "./refresh.js";

/**
 * @typedef {object} Options
 * @property {unknown} [body] sent as JSON
 * @property {Blob} [file] sent as it is
 * @property {AbortSignal} [signal]
 * @property {boolean} [keepalive] lets the request outlive the page (Fetch standard, "keepalive")
 */

/** What marks a request as coming from this page: other sites cannot send it without a CORS preflight. */
export const WEB_HEADERS = { "X-OTT-Web": "1" };

/** Paths under which a 401 is the answer itself, not the end of a session. */
const DOORS = new Set(["login", "register", "setup", "logout"]);

/** @type {() => void} */
let onSignedOut = () => {};

/**
 * Say what happens when the session is over and cannot be renewed.
 * @param {() => void} callback
 */
export function whenSignedOut(callback) {
  onSignedOut = callback;
}

/**
 * @param {string} method
 * @param {string} path below /api/v1/
 * @param {Options} options
 * @returns {Promise<Response>}
 */
async function send(method, path, { body, file, signal, keepalive }) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json", ...WEB_HEADERS };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (file) headers["Content-Type"] = "application/octet-stream";
  const init = { method, headers, keepalive: keepalive ?? false, body: file ?? (body === undefined ? null : JSON.stringify(body)) };
  return fetch(`/api/v1/${path}`, signal ? { ...init, signal } : init);
}

/**
 * Call the API. An expired access token is renewed once and the call repeated.
 * @param {string} method
 * @param {string} path below /api/v1/, such as "home"
 * @param {Options} [options]
 * @returns {Promise<any>} the decoded body, or undefined for 204
 * @throws {import("./problem.js").Problem}
 */
export async function call(method, path, options = {}) {
  const started = Date.now();
  let response;
  try {
    response = await send(method, path, options);
    if (response.status === 401 && !DOORS.has(path)) {
      if (await refreshSession(started)) response = await send(method, path, options);
      if (response.status === 401) onSignedOut();
    }
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw asProblem(error);
  }
  if (!response.ok) throw await problemOf(response);
  if (response.status === 204) return undefined;
  const answer = await response.json();
  if (DOORS.has(path) && typeof answer?.expires_in === "number") rememberSession(answer.expires_in);
  return answer;
}

/** @param {string} path @param {AbortSignal} [signal] */
export const get = (path, signal) => call("GET", path, signal ? { signal } : {});
/** @param {string} path @param {unknown} [body] */
export const post = (path, body = {}) => call("POST", path, { body });
/** @param {string} path @param {unknown} body */
export const patch = (path, body) => call("PATCH", path, { body });
/** @param {string} path @param {{keepalive?: boolean}} [options] */
export const remove = (path, options = {}) => call("DELETE", path, options);
