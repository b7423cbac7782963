import { WEB_HEADERS, post } from "../api/client.js";
import { asProblem } from "../api/problem.js";
import { keepFresh } from "../api/refresh.js";
import { announce } from "./arrivals.js";
import { addBeside } from "./beside.js";
import { Pace } from "./pace.js";
import { sendings } from "./sendings.js";
import { kept, tus } from "./tus.js";

/** @typedef {import("./beside.js").Beside} Beside */
/** @typedef {{upload: import("tus-js-client").Upload, pace: Pace, videoId: string | undefined, beside: Beside[], lost: boolean}} Work */
/** @type {Map<number, Work>} */
const works = new Map();

const ENDPOINT = "/api/v1/uploads";
/** Bytes of one request: short enough that a session renewed in between is noticed, long enough to cost nothing. */
const CHUNK = 32 * 1024 * 1024;
const AT_ONCE = 2;
const TOO_LARGE = 413;
let last = 0;

/** @param {number} id @param {Partial<import("./sendings.js").Sending>} change */
function update(id, change) {
  sendings.set(sendings.value.map((sending) => (sending.id === id ? { ...sending, ...change } : sending)));
}

/**
 * Send a file; it becomes a film when it has arrived.
 * @param {File} file
 * @param {{videoId?: string, beside?: Beside[] | undefined}} [more] the film whose unusable source it replaces; its subtitles
 */
export function sendFile(file, { videoId, beside = [] } = {}) {
  last += 1;
  const id = last;
  const upload = new tus.Upload(file, {
    endpoint: ENDPOINT,
    chunkSize: CHUNK,
    headers: WEB_HEADERS,
    metadata: { filename: file.name, filetype: file.type || "application/octet-stream" },
    retryDelays: [0, 1000, 3000, 6000, 12_000, 20_000, 30_000],
    removeFingerprintOnSuccess: true,
    onBeforeRequest: keepFresh,
    onProgress: (sent) => update(id, { sent, speed: works.get(id)?.pace.note(sent, performance.now()) ?? 0, wrong: "" }),
    onShouldRetry: (error) => {
      // What keeps it waiting is said at once, not when the last try has failed as well.
      const status = error.originalResponse?.getStatus() ?? 0;
      if (status) update(id, { speed: 0, wrong: sentenceOf(error) });
      return navigator.onLine && (status < 400 || status >= 500 || status === 409 || status === 423);
    },
    onError: (error) => {
      const work = works.get(id);
      const response = "originalResponse" in error ? error.originalResponse : null;
      if (work) work.lost = !response;
      fail(id, sentenceOf(error), response?.getStatus() === TOO_LARGE);
    },
    onSuccess: () => void arrive(id, upload.url ?? ""),
  });
  works.set(id, { upload, pace: new Pace(), videoId, beside, lost: false });
  sendings.set([...sendings.value, { id, name: file.name, size: file.size, sent: 0, speed: 0, state: "waiting", wrong: "" }]);
  startNext();
}

/** @param {Error | import("tus-js-client").DetailedError} error @returns {string} */
function sentenceOf(error) {
  const response = "originalResponse" in error ? error.originalResponse : null;
  if (!response) return "The connection was lost. What has been sent is kept; go on when the server is there again.";
  try {
    return JSON.parse(response.getBody()).detail || `The server answered ${response.getStatus()}.`;
  } catch {
    return `The server answered ${response.getStatus()}.`;
  }
}

/** @param {number} id @param {string} wrong @param {boolean} hopeless */
function fail(id, wrong, hopeless) {
  update(id, { state: "failed", speed: 0, wrong, hopeless });
  startNext();
}

function startNext() {
  const busy = sendings.value.filter((sending) => sending.state === "sending").length;
  for (const sending of sendings.value.filter(({ state }) => state === "waiting").slice(0, Math.max(0, AT_ONCE - busy))) {
    void start(sending.id);
  }
}

/** @param {number} id */
async function start(id) {
  const work = works.get(id);
  if (!work) return;
  update(id, { state: "sending", wrong: "" });
  work.lost = false;
  work.pace = new Pace();
  const [previous] = await work.upload.findPreviousUploads();
  if (previous) work.upload.resumeFromPreviousUpload(previous);
  if (sendings.value.find((sending) => sending.id === id)?.state === "sending") work.upload.start();
}

/** @param {number} id */
export function pauseSending(id) {
  void works.get(id)?.upload.abort();
  update(id, { state: "paused", speed: 0 });
  startNext();
}

/** @param {number} id */
export function goOnSending(id) {
  update(id, { state: "waiting", wrong: "" });
  startNext();
}

/** Stop, and forget what has arrived, here and on the server. @param {number} id */
export async function dropSending(id) {
  const work = works.get(id);
  works.delete(id);
  work?.upload.abort(true).catch(() => undefined);
  // Before the row goes: what is still written down then counts as left behind by an earlier visit.
  for (const { urlStorageKey } of (await work?.upload.findPreviousUploads()) ?? []) await kept.removeUpload(urlStorageKey);
  sendings.set(sendings.value.filter((sending) => sending.id !== id));
  startNext();
}

/** @param {number} id @param {string} url of the upload */
async function arrive(id, url) {
  const uploadId = new URL(url, location.href).pathname.split("/").at(-1) ?? "";
  const sending = sendings.value.find((candidate) => candidate.id === id);
  const videoId = works.get(id)?.videoId;
  update(id, { state: "arrived", speed: 0 });
  try {
    if (videoId) await post(`admin/videos/${videoId}/source`, { upload_id: uploadId });
    else {
      const film = await announce({ uploadId, title: titleFrom(sending?.name ?? "Untitled") });
      await addBeside(film.video_id, works.get(id)?.beside ?? []);
    }
    works.delete(id);
    sendings.set(sendings.value.filter((candidate) => candidate.id !== id));
  } catch (error) {
    update(id, { state: "failed", wrong: asProblem(error).detail });
  }
  startNext();
}

/**
 * @param {string} name of a file
 * @returns {string} what a person would call the film: no ending, no dots and underscores for spaces
 */
export function titleFrom(name) {
  const stem = name.replace(/\.[a-z0-9]{2,5}$/i, "");
  return stem.replace(/[._]+/g, " ").replace(/\s+/g, " ").trim() || name;
}

addEventListener("online", () => works.forEach(({ lost }, id) => lost && goOnSending(id)));
addEventListener("beforeunload", (event) => {
  if (sendings.value.some(({ state }) => state === "sending" || state === "arrived")) event.preventDefault();
});
