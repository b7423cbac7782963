import { post, remove } from "../api/client.js";
import { asProblem } from "../api/problem.js";

/** Screens that are being given back. @type {Set<Promise<unknown>>} */
const leaving = new Set();

/** Milliseconds that a new film waits at most for the screen of the last one. */
const PATIENCE = 2000;

/** Wait until screens that this page gave back are free: whoever has one screen needs the same one again. */
export async function screensFree() {
  await Promise.race([Promise.all(leaving), new Promise((over) => setTimeout(over, PATIENCE))]);
}

/**
 * Keep a screen while a film is open: tell the server where it stands, every so often and whenever that changes.
 * @param {HTMLVideoElement} video
 * @param {import("../api/types.js").PlayGrant} grant
 * @param {(sentence: string) => void} onGone the session was ended elsewhere
 * @returns {() => void} gives the screen back; also done when the page is left
 */
export function keepLease(video, grant, onGone) {
  const path = `playback/${grant.session_id}`;
  let open = true;
  let started = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let next;

  const stand = () => ({
    // Before the first picture the element stands at 0, which is not where the visitor is.
    position: started ? Math.round(video.currentTime * 1000) / 1000 : grant.resume_at,
    state: video.ended ? "ended" : video.paused ? "paused" : "playing",
  });
  const beat = async () => {
    clearTimeout(next);
    if (!open) return;
    next = setTimeout(beat, grant.heartbeat_seconds * 1000);
    try {
      await post(`${path}/heartbeat`, stand());
    } catch (error) {
      const problem = asProblem(error);
      if (problem.status !== 410 || !open) return;
      close();
      onGone(problem.detail);
    }
  };
  const soon = () => {
    clearTimeout(next);
    next = setTimeout(beat, 250);
  };
  const onPlaying = () => {
    started = true;
    soon();
  };
  const giveBack = () => remove(path, { keepalive: true }).catch(() => undefined);
  const leave = () => {
    if (!open) return;
    close();
    const told = started ? post(`${path}/heartbeat`, stand()).catch(() => undefined) : Promise.resolve();
    const left = told.then(giveBack).finally(() => leaving.delete(left));
    leaving.add(left);
  };
  const onPageHide = () => {
    if (open) void giveBack();
    close();
  };
  const close = () => {
    open = false;
    clearTimeout(next);
    for (const name of ["pause", "seeked", "ended"]) video.removeEventListener(name, soon);
    video.removeEventListener("playing", onPlaying);
    removeEventListener("pagehide", onPageHide);
  };

  for (const name of ["pause", "seeked", "ended"]) video.addEventListener(name, soon);
  video.addEventListener("playing", onPlaying);
  addEventListener("pagehide", onPageHide);
  next = setTimeout(beat, grant.heartbeat_seconds * 1000);
  return leave;
}
