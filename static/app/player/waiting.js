import { useEffect, useState } from "preact/hooks";

/** Milliseconds between two looks, and after which standing still is called waiting. */
const LOOK = 125;
const PATIENCE = 500;

/**
 * Whether the viewer waits for the film: at the start, after a jump, or in the middle. The position is what is looked at,
 * since engines let an element "play" at no speed while they fetch, which no event tells.
 * @param {HTMLVideoElement | null} video
 * @returns {boolean}
 */
export function useWaiting(video) {
  const [waiting, setWaiting] = useState(false);
  useEffect(() => {
    if (!video) return;
    let at = Number.NaN;
    let since = performance.now();
    const look = () => {
      const { currentTime, ended, paused, readyState, seeking } = video;
      const still = seeking || readyState < HTMLMediaElement.HAVE_CURRENT_DATA || (!paused && !ended && currentTime === at);
      if (!still) since = performance.now();
      at = currentTime;
      setWaiting(performance.now() - since >= PATIENCE);
    };
    const timer = setInterval(look, LOOK);
    return () => clearInterval(timer);
  }, [video]);
  return waiting;
}
