import { call, remove } from "../api/client.js";
import { track } from "../api/pending.js";
import { asProblem } from "../api/problem.js";

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
      await call("POST", `${path}/heartbeat`, { body: stand() });
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
  const lastWord = async () => {
    if (!started) return;
    await call("POST", `${path}/heartbeat`, { body: stand(), keepalive: true }).catch(() => undefined);
  };
  const giveBack = () => {
    removeEventListener("pagehide", giveBack);
    return remove(path, { keepalive: true }).catch(() => undefined);
  };
  const leave = () => {
    if (!open) return;
    close();
    // Where the film stood, and then the screen; when the page goes before the first has arrived, both at once.
    const told = lastWord();
    addEventListener("pagehide", giveBack);
    track(told.then(giveBack));
  };
  const onPageHide = () => {
    if (!open) return;
    close();
    void lastWord();
    void giveBack();
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
