/**
 * Checks tickets away from ottserver: in an edge function of a CDN. Plain JavaScript without imports; docs/cdn.md says
 * where it runs. What it serves is what ottserver's media route would serve, and what it cannot know it leaves to it.
 */

/** @typedef {{id: number, from: number, until: number, key: string}} Key of `ottserver edge-keys`; `key` is hexadecimal */
/** @typedef {{keys: Key[], heights: Record<string, number>}} Known all that `ottserver edge-keys` prints */
/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/** @typedef {(key: Bytes, data: Bytes) => Promise<Bytes> | Bytes} Mac HMAC-SHA256 */
/**
 * @typedef {{verdict: "refuse"} | {verdict: "ask"} | {verdict: "serve", key: string}} Verdict
 *   `refuse`: 403. `ask`: pass it to ottserver, keep nothing. `serve`: what is kept under `key`, or comes from ottserver.
 */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const ADDRESS = /^\/media\/([A-Za-z0-9_-]{100})\/([0-9a-f-]{36})\/(.*)$/;
const FILE = /^([0-9a-f]{32})\/([A-Za-z0-9_-]+)\/[A-Za-z0-9_-]+\.(?:m4s|mp4|vtt|jpg)$/;
/** Key id, session, video, presentation, expiry, greatest height; then 20 bytes of the HMAC. */
const SESSION = 1, VIDEO = 17, PRESENTATION = 33, EXPIRY = 49, HEIGHT = 53, PAYLOAD = 55;

/**
 * @param {string} path as it was sent, without its query; nothing in it may have been decoded or resolved
 * @param {Known} known
 * @param {{now?: number, mac?: Mac, ended?: (session: string) => boolean | Promise<boolean>}} [more] seconds since 1970;
 *   another HMAC than that of WebCrypto; whether a session, in 32 hexadecimal digits, was ended
 * @returns {Promise<Verdict>}
 */
export async function judge(path, known, more = {}) {
  const { now = Date.now() / 1000, mac = webMac, ended = () => false } = more;
  const parts = ADDRESS.exec(path);
  if (!parts) return { verdict: "refuse" };
  const ticket = decoded(parts[1]);
  const key = known.keys.find(({ id, from, until }) => id === ticket[0] && from <= now && now < until);
  if (!key) return { verdict: "refuse" };
  const payload = ticket.subarray(0, PAYLOAD);
  if (!same(ticket.subarray(PAYLOAD), await mac(bytes(key.key), payload))) return { verdict: "refuse" };
  const view = new DataView(ticket.buffer);
  if (view.getUint32(EXPIRY) <= now) return { verdict: "refuse" };
  if (hex(ticket.subarray(VIDEO, PRESENTATION)) !== parts[2].replaceAll("-", "")) return { verdict: "refuse" };
  if (await ended(hex(ticket.subarray(SESSION, VIDEO)))) return { verdict: "refuse" };

  const file = FILE.exec(parts[3]);
  if (!file) return { verdict: "ask" };
  if (file[1] !== hex(ticket.subarray(PRESENTATION, EXPIRY))) return { verdict: "refuse" };
  return opens(file[2], view.getUint16(HEIGHT), known.heights) ? { verdict: "serve", key: parts[3] } : { verdict: "ask" };
}

/**
 * Whether a plan surely opens a rendition. Sound, subtitles and pictures for the seek bar belong to every plan; a height
 * above the plan's may still be the least that a title has, which only ottserver knows.
 * @param {string} rendition
 * @param {number} most
 * @param {Record<string, number>} heights of the ladder, by name
 */
function opens(rendition, most, heights) {
  if (rendition !== "original" && !rendition.startsWith("v")) return true;
  return Object.hasOwn(heights, rendition) && heights[rendition] <= most;
}

/** @param {string} text base64url, a multiple of four characters */
function decoded(text) {
  const found = new Uint8Array((text.length / 4) * 3);
  for (let at = 0; at < text.length; at += 4) {
    let bits = 0;
    for (let n = 0; n < 4; n += 1) bits = (bits << 6) | ALPHABET.indexOf(text[at + n]);
    found.set([bits >> 16, (bits >> 8) & 255, bits & 255], (at / 4) * 3);
  }
  return found;
}

/** @param {string} text hexadecimal */
function bytes(text) {
  return Uint8Array.from({ length: text.length / 2 }, (_, n) => parseInt(text.slice(2 * n, 2 * n + 2), 16));
}

/** @param {Bytes} data */
function hex(data) {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Whether the ticket's bytes begin the HMAC, in a time that tells nothing.
 * @param {Bytes} given
 * @param {Bytes} right
 */
function same(given, right) {
  let different = 0;
  for (let n = 0; n < given.length; n += 1) different |= given[n] ^ right[n];
  return different === 0;
}

/** @type {Mac} */
async function webMac(key, data) {
  const hash = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, hash, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, data));
}
