import { useEffect, useState } from "preact/hooks";

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

/** Speeds that were chosen: an element that waits for the film stands still, with a rate of 0. @type {WeakMap<HTMLVideoElement, number>} */
const chosen = new WeakMap();

/** @param {HTMLVideoElement} video @returns {number} the chosen speed, also while the player waits */
export function speedOf(video) {
  if (video.playbackRate > 0) chosen.set(video, video.playbackRate);
  return chosen.get(video) ?? 1;
}

/** @param {HTMLVideoElement | null} video @returns {number} */
export function useSpeed(video) {
  const [speed, setSpeed] = useState(1);
  useEffect(() => {
    if (!video) return;
    const look = () => setSpeed(speedOf(video));
    look();
    video.addEventListener("ratechange", look);
    return () => video.removeEventListener("ratechange", look);
  }, [video]);
  return speed;
}
