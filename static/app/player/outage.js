import { useEffect, useRef, useState } from "preact/hooks";

/** @typedef {import("./engine.js").Failure} Failure */

/** Milliseconds between two looks at the film after a failure. */
const LOOK = 500;
/** Seconds before the engine is sent for the next part again: longer each time, the last from then on. */
const WAITS = [2, 4, 8, 15, 30];
/** Seconds of film that count as more. */
const HAIR = 0.05;

/** @param {HTMLVideoElement} video @returns {number} seconds up to which it is here without a gap, 0 where nothing is */
function endOfBuffer({ buffered, currentTime }) {
  for (let n = 0; n < buffered.length; n += 1) {
    if (buffered.start(n) <= currentTime + HAIR && buffered.end(n) > currentTime) return buffered.end(n);
  }
  return 0;
}

/**
 * What stops the film. What has been fetched plays on, and the engine is sent for the rest again and again, so that a
 * server that comes back is noticed: the film has stopped only while it stands still.
 * @param {HTMLVideoElement | null} video
 * @param {import("./shaka.js").Player | undefined} player
 * @returns {{stopped: string, onFail: (failure: Failure) => void}} `stopped`: a sentence while the film cannot go on
 */
export function useOutage(video, player) {
  const [failure, setFailure] = useState(/** @type {Failure | undefined} */ (undefined));
  const [standing, setStanding] = useState(false);
  const tries = useRef(0);

  useEffect(() => {
    if (!failure || !video) return;
    let at = video.currentTime;
    let end = endOfBuffer(video);
    if (!failure.passing) setStanding(true);
    const look = () => {
      const moves = !video.paused && video.currentTime > at;
      const grown = endOfBuffer(video) > end + HAIR;
      if (failure.passing ? grown : moves) {
        tries.current = 0;
        setFailure(undefined);
        setStanding(false);
      } else if (failure.passing) {
        setStanding(!moves && (!video.paused || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA));
      }
      at = video.currentTime;
      end = Math.min(end, endOfBuffer(video));
    };
    const timer = setInterval(look, LOOK);
    return () => clearInterval(timer);
  }, [failure, video]);

  useEffect(() => {
    if (!failure?.passing || !player) return;
    const wait = WAITS[Math.min(tries.current, WAITS.length - 1)] ?? 30;
    tries.current += 1;
    const timer = setTimeout(() => player.retryStreaming(0), wait * 1000);
    return () => clearTimeout(timer);
  }, [failure, player]);
  return { stopped: failure && standing ? failure.sentence : "", onFail: setFailure };
}
