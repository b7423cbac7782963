import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { clock } from "../format.js";

/** Engines shorten a film by a microsecond, so that every frame lies before its end. */
const HAIR = 0.001;

/**
 * Where the film stands, and how long it is.
 * @param {{video: HTMLVideoElement | null}} props
 */
export function Time({ video }) {
  const [now, setNow] = useState("");
  useEffect(() => {
    if (!video) return;
    const look = () => setNow(Number.isFinite(video.duration) ? `${clock(video.currentTime + HAIR)} / ${clock(video.duration + HAIR)}` : "");
    const events = ["timeupdate", "durationchange", "seeking", "emptied"];
    for (const name of events) video.addEventListener(name, look);
    look();
    return () => events.forEach((name) => video.removeEventListener(name, look));
  }, [video]);
  return html`<span class="player-time">${now}</span>`;
}
