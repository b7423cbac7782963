import { CONFIG } from "./config.js";
import { shaka } from "./shaka.js";

/** @typedef {import("./shaka.js").Player} Player */
/** @typedef {{height: number, bandwidth: number}} Quality its height class, and the line that carries it, in bits a second */
/** @typedef {Quality & {lower: Quality[]}} Start what comes at once, and what a slower line begins with, the best first */

/** So many segments of a rung in a row that took longer to make than they play show that the server cannot keep up. */
const LATE = 2;
/** For so long such a rung is left alone, in milliseconds. */
const REST = 30_000;
const LINE = "ottserver.line";
const CMCD = "CMCD-Request";
/** What is assumed of a line that nothing is known of, in bits a second. */
const UNKNOWN_LINE = 5_000_000;
/** So many bytes say something about a line. */
const TELLING = 1_000_000;
/** So many segments come in the first quality before another is thought of: sound comes long before a picture that is made. */
const SETTLED = 2;
/** A server that took longer than this for an answer was making it, in milliseconds. */
const MAKING = 100;
/** Files of the page that are larger than this many bytes show how quick a line is. */
const LARGE = 50_000;

/**
 * Chooses the quality as shaka does, but tells the line from the server. Shaka counts the time to the first byte as time
 * of transfer; where a segment is made while the player waits, that would look like a slow line, and a quick line would
 * be held at the least quality. The server says how long it took (CMSD response delay, CTA-5006): that is not counted.
 * A server that makes a rung more slowly than it plays is another matter: then the rung is left for a while.
 */
class Adapting extends shaka.abr.SimpleAbrManager {
  /**
   * @param {(height: number) => void} onLate called with the height, in pixels, that the server cannot keep up with
   * @param {() => void} onSettled called once the first segments after a beginning are there
   */
  constructor(onLate, onSettled) {
    super();
    this.onLate = onLate;
    this.onSettled = onSettled;
    /** Video segments since the film, or another place in it, was begun. */
    this.since = 0;
    /** Whether the last video segment was made while it was waited for. */
    this.making = false;
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
    super.segmentDownloaded(taken, bytes, allowSwitch && this.since >= SETTLED, request, context);
  }

  /**
   * @param {number} waited seconds
   * @param {any} context
   */
  judge(waited, context) {
    const { stream, segment } = context ?? {};
    if (stream?.type !== "video" || !segment) return;
    this.making = waited * 1000 > MAKING;
    this.since += 1;
    if (this.since === SETTLED) this.onSettled();
    this.late = waited > segment.getEndTime() - segment.getStartTime() ? this.late + 1 : 0;
    if (this.late < LATE) return;
    this.late = 0;
    this.onLate(stream.height);
  }
}

/**
 * Let a player choose its quality so, beginning as the server advises unless the line is known to carry less. A jump to
 * where the server makes segments begins with the least quality again: the picture is there soonest.
 * @param {Player} player
 * @param {HTMLVideoElement} video
 * @param {Start} start the server's advice
 * @returns {() => void} ends it, and remembers the line for the next film
 */
export function adapt(player, video, start) {
  let resting = 0;
  let most = Infinity;
  const limit = (/** @type {number} */ height) => player.configure("abr.restrictions.maxHeight", height);
  const heights = () => player.getVideoTracks().map((track) => track.height ?? 0);
  const manager = new Adapting(
    (height) => {
      if (!heights().some((other) => other < height)) return;
      clearTimeout(resting);
      most = height - 1;
      limit(most);
      resting = setTimeout(() => limit((most = Infinity)), REST);
    },
    () => limit(most),
  );
  const onSeeking = () => {
    if (isBuffered(video) || !manager.making) return;
    manager.since = 0;
    limit(Math.min(...heights()));
  };
  video.addEventListener("seeking", onSeeking);
  player.configure("abrFactory", () => manager);
  player.configure("abr.defaultBandwidthEstimate", beginning(start, knownLine()));
  player.addEventListener("downloadheadersreceived", (event) => {
    manager.answered(Reflect.get(event, "request"), Reflect.get(event, "headers")?.["cmsd-dynamic"]);
  });
  player.getNetworkingEngine()?.registerRequestFilter((type, request) => {
    // What was measured so far (CMCD `mtp`, in kbit/s to the next 100), which shaka itself leaves out.
    if (type !== shaka.net.NetworkingEngine.RequestType.SEGMENT || !manager.measured) return;
    const said = `mtp=${Math.round(manager.getBandwidthEstimate() / 100_000) * 100}`;
    request.headers[CMCD] = [request.headers[CMCD], said].filter(Boolean).join(",");
  });
  const keep = () => {
    const line = player.getStats().estimatedBandwidth;
    if (line > 0 && manager.measured > TELLING) remember(line);
  };
  // A page that is left ends nothing.
  window.addEventListener("pagehide", keep);
  return () => {
    clearTimeout(resting);
    video.removeEventListener("seeking", onSeeking);
    window.removeEventListener("pagehide", keep);
    keep();
  };
}

/**
 * The line to assume so that the player begins with what needs no encoding: a quality between two such would.
 * @param {Start} start
 * @param {number} line bits a second
 */
function beginning(start, line) {
  const carried = [start, ...start.lower].find((quality) => quality.bandwidth <= line);
  return carried ? carried.bandwidth : line;
}

/** @param {HTMLVideoElement} video */
function isBuffered(video) {
  for (let n = 0; n < video.buffered.length; n += 1) {
    if (video.buffered.start(n) <= video.currentTime && video.currentTime < video.buffered.end(n)) return true;
  }
  return false;
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
  if (!rates.length) return UNKNOWN_LINE;
  // On the next visit they come out of the browser's cache and tell nothing.
  const line = Math.max(...rates);
  remember(line);
  return line;
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
