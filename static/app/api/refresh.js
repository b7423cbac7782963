/**
 * Renewal of the session. A refresh token works once, and using it twice ends the whole session, so that no two tabs may
 * renew at the same time: the Web Locks API serialises them, and a time stamp in localStorage tells the later one that it
 * need not renew any more.
 */

const RENEWED = "ott.renewed";
const EXPIRES = "ott.expires";

/** @param {string} key */
function moment(key) {
  return Number(localStorage.getItem(key) ?? 0);
}

/** @param {number} expiresIn seconds that the access token stays good */
export function rememberSession(expiresIn) {
  localStorage.setItem(RENEWED, String(Date.now()));
  localStorage.setItem(EXPIRES, String(Date.now() + expiresIn * 1000));
}

/** @type {Promise<boolean> | undefined} */
let renewal;

/**
 * @param {number} since milliseconds since the epoch at which the caller's session was found to be over
 * @returns {Promise<boolean>} whether there is a session now
 */
export function refreshSession(since) {
  renewal ??= alone(() => renew(since)).finally(() => {
    renewal = undefined;
  });
  return renewal;
}

/**
 * Renew when the access token ends within a minute: for requests that are long or cannot be repeated.
 * @returns {Promise<void>}
 */
export async function keepFresh() {
  const expires = moment(EXPIRES);
  if (expires && expires - Date.now() < 60_000) await refreshSession(Date.now());
}

/** @param {number} since @returns {Promise<boolean>} */
async function renew(since) {
  if (moment(RENEWED) > since) return true;
  const response = await fetch("/api/v1/token/refresh", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-OTT-Web": "1" },
    body: "{}",
    // Its answer must arrive even when the page is left: a token that was used and not replaced ends the session.
    keepalive: true,
  });
  if (response.status >= 500 || response.status === 429) {
    throw new TypeError("fetch: the session could not be renewed");
  }
  if (!response.ok) return false;
  rememberSession((await response.json()).expires_in);
  return true;
}

/**
 * Locks exist only in secure contexts; on plain http:// beyond localhost one tab at a time has to do.
 * @param {() => Promise<boolean>} task
 * @returns {Promise<boolean>}
 */
function alone(task) {
  return "locks" in navigator ? navigator.locks.request("ott-renew", task) : task();
}
