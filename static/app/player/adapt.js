import { CONFIG } from "./config.js";
import { shaka } from "./shaka.js";

/** @typedef {import("./shaka.js").Player} Player */

/** So many segments of a rung in a row that took longer to make than they play show that the server cannot keep up. */
const LATE = 2;
/** For so long such a rung is left alone, in milliseconds. */
const REST = 30_000;
const LINE = "ottserver.line";
/** What is assumed of a line that nothing is known of, in bits a second. */
const UNKNOWN_LINE = 5_000_000;
/** So many bytes say something about a line. */
const TELLING = 1_000_000;
/** Files of the page that are larger than this many bytes show how quick a line is. */
const LARGE = 50_000;

/**
 * Chooses the quality as shaka does, but tells the line from the server. Shaka counts the time to the first byte as time
 * of transfer; where a segment is made while the player waits, that would look like a slow line, and a quick line would
 * be held at the least quality. The server says how long it took (CMSD response delay, CTA-5006): that is not counted.
 * A server that makes a rung more slowly than it plays is another matter: then the rung is left for a while.
 */
class Adapting extends shaka.abr.SimpleAbrManager {
  /** @param {(height: number) => void} onLate called with the height, in pixels, that the server cannot keep up with */
  constructor(onLate) {
    super();
    this.onLate = onLate;
    /** When the attempt began whose first bytes were counted. @type {WeakMap<object, number>} */
    this.counted = new WeakMap();
    /** Milliseconds that the server took for an answer. @type {WeakMap<object, number>} */
    this.delays = new WeakMap();
    this.late = 0;
    /** Bytes that took measurable time. */
    this.measured = 0;
  }

  /**
   * @param {object} request of shaka
   * @param {string | undefined} header CMSD-Dynamic of its answer
   */
  answered(request, header) {
    const delay = /;\s*rd=(\d+)/.exec(header ?? "");
    if (delay) this.delays.set(request, Number(delay[1]));
  }

  /**
   * @param {number} milliseconds
   * @param {number} bytes
   * @param {boolean} allowSwitch
   * @param {any} [request]
   * @param {any} [context]
   */
  segmentDownloaded(milliseconds, bytes, allowSwitch, request, context) {
    let waited = 0;
    if (request && this.counted.get(request) !== request.requestStartTime) {
      this.counted.set(request, request.requestStartTime);
      // An answer out of a cache still says how long it once took: more than there was no wait.
      waited = Math.min(this.delays.get(request) ?? 0, request.timeToFirstByte ?? 0);
      this.judge(waited / 1000, context);
    }
    // What comes at once after the wait is as quick as anything that is still counted.
    const taken = waited ? Math.max(CONFIG.abr.cacheLoadThreshold, milliseconds - waited) : milliseconds;
    if (taken >= CONFIG.abr.cacheLoadThreshold) this.measured += bytes;
    super.segmentDownloaded(taken, bytes, allowSwitch, request, context);
  }

  /**
   * @param {number} waited seconds
   * @param {any} context
   */
  judge(waited, context) {
    const { stream, segment } = context ?? {};
    if (stream?.type !== "video" || !segment) return;
    this.late = waited > segment.getEndTime() - segment.getStartTime() ? this.late + 1 : 0;
    if (this.late < LATE) return;
    this.late = 0;
    this.onLate(stream.height);
  }
}

/**
 * Let a player choose its quality so, beginning as the server advises unless the line is known to carry less.
 * @param {Player} player
 * @param {{height: number, bandwidth: number}} start the server's advice
 * @returns {() => void} ends it, and remembers the line for the next film
 */
export function adapt(player, start) {
  let resting = 0;
  const limit = (/** @type {number} */ height) => player.configure("abr.restrictions.maxHeight", height);
  const manager = new Adapting((height) => {
    const lower = player.getVideoTracks().some((track) => (track.height ?? 0) < height);
    if (!lower) return;
    clearTimeout(resting);
    limit(height - 1);
    resting = setTimeout(() => limit(Infinity), REST);
  });
  player.configure("abrFactory", () => manager);
  player.configure("abr.defaultBandwidthEstimate", Math.min(start.bandwidth, knownLine()));
  player.addEventListener("downloadheadersreceived", (event) => {
    manager.answered(Reflect.get(event, "request"), Reflect.get(event, "headers")?.["cmsd-dynamic"]);
  });
  return () => {
    clearTimeout(resting);
    const line = player.getStats().estimatedBandwidth;
    if (line > 0 && manager.measured > TELLING) remember(line);
  };
}

/** @returns {number} bits a second */
function knownLine() {
  const remembered = Number(read());
  if (remembered > 0) return remembered;
  // The page itself came over it: its largest files tell.
  const files = /** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByType("resource"));
  const rates = files
    .filter((file) => file.transferSize > LARGE)
    .map((file) => (8000 * file.transferSize) / Math.max(1, file.responseEnd - file.responseStart));
  return rates.length ? Math.max(...rates) : UNKNOWN_LINE;
}

function read() {
  try {
    return localStorage.getItem(LINE);
  } catch {
    return null; // storage is forbidden
  }
}

/** @param {number} line bits a second */
function remember(line) {
  try {
    localStorage.setItem(LINE, String(Math.round(line)));
  } catch {
    // storage is forbidden or full: the next film begins without
  }
}
