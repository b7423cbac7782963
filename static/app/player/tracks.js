import { useEffect, useState } from "preact/hooks";
import { language } from "../format.js";

/** @typedef {import("./shaka.js").Player} Player */
/** @typedef {{value: string, label: string}} Choice */
/**
 * @typedef {object} Tracks
 * @property {Choice[]} qualities best first, after "auto"
 * @property {string} quality the chosen one: "auto" or a class such as "720"
 * @property {number} height class of the picture that is being fetched, 0 while unknown
 * @property {Choice[]} sounds
 * @property {string} sound
 */

/** Boxes of the quality classes: long side by short side, in pixels. */
const CLASSES = [[854, 480], [1280, 720], [1920, 1080], [3840, 2160]];

/**
 * The class that people know a picture by: 1920 by 800 is 1080p.
 * @param {number} width
 * @param {number} height
 * @returns {number}
 */
export function heightClass(width, height) {
  const long = Math.max(width, height);
  const short = Math.min(width, height);
  const box = CLASSES.find(([a, b]) => long <= a + 8 && short <= b + 8);
  if (!box) return short;
  return box === CLASSES[0] && long < 800 && short < 450 ? short : box[1];
}

/** @param {Player} player @returns {Tracks} */
function read(player) {
  const videos = player.getVideoTracks();
  const audios = player.getAudioTracks();
  const auto = player.getConfiguration().abr.enabled;
  const active = videos.find((track) => track.active);
  const height = active ? heightClass(active.width ?? 0, active.height ?? 0) : 0;
  const heights = [...new Set(videos.map((track) => heightClass(track.width ?? 0, track.height ?? 0)))].sort((a, b) => b - a);
  const now = height ? ` (${named(height)})` : "";
  return {
    qualities: [{ value: "auto", label: auto ? `Auto${now}` : "Auto" }, ...heights.map((h) => ({ value: String(h), label: named(h) }))],
    quality: auto ? "auto" : String(height),
    height,
    sounds: audios.map((track, n) => ({ value: String(n), label: language(track.language, track.label ?? "") })),
    sound: String(Math.max(0, audios.findIndex((track) => track.active))),
  };
}

/** @param {number} height */
function named(height) {
  return height >= 2160 ? "4K" : `${height}p`;
}

/**
 * What can be chosen, and what is.
 * @param {Player | undefined} player
 * @returns {Tracks | undefined}
 */
export function useTracks(player) {
  const [tracks, setTracks] = useState(/** @type {Tracks | undefined} */ (undefined));
  useEffect(() => {
    if (!player) return;
    const look = () => setTracks((last) => {
      const next = read(player);
      return JSON.stringify(next) === JSON.stringify(last) ? last : next;
    });
    const events = ["trackschanged", "adaptation", "variantchanged", "abrstatuschanged", "audiotrackschanged", "streaming", "loaded"];
    for (const name of events) player.addEventListener(name, look);
    return () => {
      for (const name of events) player.removeEventListener(name, look);
    };
  }, [player]);
  return tracks;
}

/** Seconds of the old picture that are kept, so that the change does not stall on a part that has still to be encoded. */
const KEPT = 3;

/**
 * @param {Player} player
 * @param {string} value "auto" or a class
 */
export function chooseQuality(player, value) {
  player.configure({ abr: { enabled: value === "auto" } });
  const track = player.getVideoTracks()
    .filter((candidate) => String(heightClass(candidate.width ?? 0, candidate.height ?? 0)) === value)
    .sort((a, b) => b.bandwidth - a.bandwidth)[0];
  if (track) player.selectVideoTrack(track, true, KEPT);
}

/**
 * @param {Player} player
 * @param {string} value index among the audio tracks
 */
export function chooseSound(player, value) {
  const track = player.getAudioTracks()[Number(value)];
  if (track) player.selectAudioTrack(track, KEPT);
}
