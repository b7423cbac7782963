import { call, remove } from "../api/client.js";
import { track } from "../api/pending.js";
import { asProblem } from "../api/problem.js";

/**
 * Keep a screen while a film is open: tell the server where it stands, every so often and whenever that changes.
 * @param {HTMLVideoElement} video
 * @param {import("../api/types.js").PlayGrant} grant
 * @param {object} on
 * @param {(sentence: string, reason: string) => void} on.gone the session was ended, and why
 * @param {(thumbnails: string) => void} on.pictured pictures for the time line are there; where, relative to the manifest
 * @param {(height: number) => void} on.lowered the plan shows less from now on: its greatest height class
 * @returns {{leave: () => void, ask: () => Promise<boolean>}} `leave` gives the screen back, also done when the page is
 * left; `ask` asks at once whether the session goes on
 */
export function keepLease(video, grant, on) {
  const path = `playback/${grant.session_id}`;
  let open = true;
  let started = false;
  let most = grant.max_height;
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
      const { thumbnails, max_height: allowed } = await call("POST", `${path}/heartbeat`, { body: stand() });
      if (thumbnails && open) on.pictured(thumbnails);
      if (allowed && allowed < most && open) {
        most = allowed;
        on.lowered(most);
      }
    } catch (error) {
      const problem = asProblem(error);
      if (problem.status !== 410 || !open) return;
      close();
      on.gone(problem.detail, String(problem.body.reason ?? ""));
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
  const leave = () => {
    if (!open) return;
    close();
    // One request says where the film stood and gives the screen back: two could overtake each other.
    const stood = started ? `?position=${stand().position}` : "";
    track(remove(`${path}${stood}`, { keepalive: true }).catch(() => undefined));
  };
  const close = () => {
    open = false;
    clearTimeout(next);
    for (const name of ["pause", "seeked", "ended"]) video.removeEventListener(name, soon);
    video.removeEventListener("playing", onPlaying);
    removeEventListener("pagehide", leave);
  };

  for (const name of ["pause", "seeked", "ended"]) video.addEventListener(name, soon);
  video.addEventListener("playing", onPlaying);
  addEventListener("pagehide", leave);
  next = setTimeout(beat, grant.heartbeat_seconds * 1000);
  return {
    leave,
    ask: async () => {
      await beat();
      return open;
    },
  };
}
