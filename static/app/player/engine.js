import { adapt } from "./adapt.js";
import { CONFIG } from "./config.js";
import { Source } from "./original.js";
import { shaka } from "./shaka.js";
import { soundPreferences } from "./tracks.js";

/** @typedef {import("./shaka.js").Player} Player */
/**
 * @typedef {object} Failure
 * @property {string} sentence
 * @property {boolean} expired a new permission to play may mend it
 * @property {boolean} passing it may mend itself: the server is away or busy
 */

shaka.polyfill.installAll();

/**
 * Play a manifest in a video element.
 * @param {HTMLVideoElement} video
 * @param {string} url of an MPD or a multivariant playlist
 * @param {import("./original.js").Original | undefined} original the film as it is, in a manifest of its own
 * @param {number} startAt seconds
 * @param {import("./adapt.js").Start} start the server's advice with which quality to begin
 * @param {(failure: Failure) => void} onFail called when playing cannot go on by itself
 * @returns {{player: Player, close: () => Promise<void>}}
 */
export function openEngine(video, url, original, startAt, start, onFail) {
  const player = new shaka.Player();
  player.configure({ ...CONFIG, preferredAudio: soundPreferences() });
  const rest = adapt(player, video, start);
  const source = new Source(player, video, url, original);
  const fail = (/** @type {any} */ error) => {
    const failure = explain(error);
    // What the browser said that it decodes, and does not, is no reason to end: the ladder is for every browser.
    if (failure.passing || failure.expired || !source.leave()) onFail(failure);
  };
  player.addEventListener("error", (event) => {
    const error = Reflect.get(event, "detail");
    if (error?.severity === shaka.util.Error.Severity.CRITICAL) fail(error);
  });
  // For the console and for tests: the engine of the film on the page.
  Reflect.set(window, "ottPlayer", player);
  const begin = async () => {
    await player.attach(video);
    await source.load(startAt);
    await video.play();
  };
  begin().catch((error) => {
    if (error?.code === shaka.util.Error.Code.LOAD_INTERRUPTED) return;
    // The browser wants a click before there is sound: the play button is there for it.
    if (error instanceof DOMException) return;
    fail(error);
  });
  return { player, close: () => (rest(), player.destroy()) };
}

/**
 * @param {any} error a shaka.util.Error
 * @returns {Failure}
 */
function explain(error) {
  const { Code, Category } = shaka.util.Error;
  if (error?.code === Code.BAD_HTTP_STATUS) {
    const status = Number(error.data?.[1]);
    if (status === 403 || status === 404) return { sentence: "The permission to play this film has run out.", expired: true, passing: false };
    return { sentence: "The server could not make the next part of the film.", expired: false, passing: true };
  }
  if (error?.category === Category.NETWORK) {
    return { sentence: "The connection to the server was lost. What you have seen is remembered.", expired: false, passing: true };
  }
  if (error?.code === Code.CONTENT_UNSUPPORTED_BY_BROWSER || error?.code === Code.RESTRICTIONS_CANNOT_BE_MET) {
    return { sentence: "This browser cannot play the kind of picture this film has.", expired: false, passing: false };
  }
  const number = error?.code ? ` (${error.code})` : "";
  return { sentence: `The player came upon something it could not read${number}.`, expired: false, passing: false };
}
