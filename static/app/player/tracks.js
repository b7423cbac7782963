import { useEffect, useState } from "preact/hooks";
import { isNamed, language, lines, quality, sound } from "../format.js";
import { sourceOf } from "./original.js";

/** @typedef {import("./shaka.js").Player} Player */
/** @typedef {{value: string, label: string}} Choice */
/**
 * @typedef {object} Tracks
 * @property {Choice[]} qualities best first, after "auto"
 * @property {string} quality the chosen one: "auto", "original" or a class such as "720"
 * @property {number} height class of the picture that is being fetched, 0 while unknown
 * @property {Choice[]} sounds
 * @property {string} sound
 */

/** Channels of 5.1. */
const SURROUND = 6;
const SOUND_KEY = "ott-sound";

const ORIGINAL = "original";

/**
 * @param {Player} player
 * @param {number[]} classes of the ladder, for as long as only the original's manifest is known
 * @returns {Tracks}
 */
function read(player, classes) {
  const videos = player.getVideoTracks();
  const audios = player.getAudioTracks();
  const auto = player.getConfiguration().abr.enabled;
  const active = videos.find((track) => track.active);
  const height = active ? lines(active.width ?? 0, active.height ?? 0) : 0;
  const heights = [...new Set(videos.map((track) => lines(track.width ?? 0, track.height ?? 0)))].sort((a, b) => b - a);
  const now = height ? ` (${quality(height)})` : "";
  const source = sourceOf(player);
  const own = source?.isOriginal ?? false;
  if (source && !own) source.heights = heights;
  return {
    qualities: [
      { value: "auto", label: auto && !own ? `Auto${now}` : "Auto" },
      ...(source?.original ? [{ value: ORIGINAL, label: `Original (${quality(source.original.height)})` }] : []),
      ...(own ? (source?.heights.length ? source.heights : classes) : heights).map((h) => ({ value: String(h), label: quality(h) })),
    ],
    quality: own ? ORIGINAL : auto ? "auto" : String(height),
    height,
    sounds: soundChoices(audios),
    sound: String(Math.max(0, audios.findIndex((track) => track.active))),
  };
}

/** @param {import("./shaka.js").AudioTrack[]} audios @returns {Choice[]} 5.1 beside the stereo of the same sound */
function soundChoices(audios) {
  const names = audios.map((track) => (isNamed(track.language, track.label) ? soundName(track).replace(/ 5\.1$/, "") : ""));
  return audios
    .map((track, n) => ({ value: String(n), label: soundName(track), place: names.indexOf(names[n] ?? "") }))
    .sort((a, b) => a.place - b.place || Number(a.value) - Number(b.value))
    .map(({ value, label }) => ({ value, label }));
}

/** @param {import("./shaka.js").AudioTrack} track @returns {string} "Deutsch" or "Deutsch 5.1"; "Stereo" or "5.1" where the film says no language */
function soundName(track) {
  if (!isNamed(track.language, track.label)) return sound({ language: "", label: "", channels: track.channelsCount ?? 2 });
  const name = language(track.language, track.label ?? "");
  return !isSurround(track) || name.endsWith("5.1") ? name : `${name} 5.1`;
}

/**
 * What can be chosen, and what is.
 * @param {Player | undefined} player
 * @param {number[]} classes of the film's ladder, best first
 * @returns {Tracks | undefined}
 */
export function useTracks(player, classes) {
  const [tracks, setTracks] = useState(/** @type {Tracks | undefined} */ (undefined));
  useEffect(() => {
    if (!player) return;
    const look = () => setTracks((last) => {
      const next = read(player, classes);
      return JSON.stringify(next) === JSON.stringify(last) ? last : next;
    });
    const events = ["trackschanged", "adaptation", "variantchanged", "abrstatuschanged", "audiotrackschanged", "streaming", "loaded"];
    for (const name of events) player.addEventListener(name, look);
    const source = sourceOf(player);
    if (source) source.onChange = look;
    look();
    return () => {
      for (const name of events) player.removeEventListener(name, look);
    };
  }, [player, classes.join()]);
  return tracks;
}

/** Seconds of the old picture that are kept, so that the change does not stall on a part that has still to be encoded. */
const KEPT = 3;

/**
 * @param {Player} player
 * @param {string} value "auto", "original" or a class
 */
export function chooseQuality(player, value) {
  const source = sourceOf(player);
  const change = value === ORIGINAL ? source?.choose(true) : source?.choose(false);
  // What fails in the other manifest is told as all failures of the engine are.
  change?.then(() => value === ORIGINAL || chooseClass(player, value)).catch(() => undefined);
}

/**
 * @param {Player} player
 * @param {string} value "auto" or a class
 */
function chooseClass(player, value) {
  player.configure({ abr: { enabled: value === "auto" } });
  const track = player.getVideoTracks()
    .filter((candidate) => String(lines(candidate.width ?? 0, candidate.height ?? 0)) === value)
    .sort((a, b) => b.bandwidth - a.bandwidth)[0];
  if (track) player.selectVideoTrack(track, true, KEPT);
}

/**
 * @param {Player} player
 * @param {string} value index among the audio tracks
 */
export function chooseSound(player, value) {
  const track = player.getAudioTracks()[Number(value)];
  if (!track) return;
  player.selectAudioTrack(track, KEPT);
  localStorage.setItem(SOUND_KEY, JSON.stringify({ language: track.language, label: track.label ?? "", channels: track.channelsCount ?? 2 }));
}

/**
 * What the engine is told to prefer: the sound that was chosen last in this browser by language, name and channels, else
 * anything in that language; stereo, which every screen can play, as long as nothing was chosen.
 * @returns {import("shaka-player").default.extern.AudioPreference[]}
 */
export function soundPreferences() {
  const last = chosenSound();
  const any = { language: "", label: "", channelCount: 2, codec: "", role: "", spatialAudio: false };
  if (!last) return [any];
  const near = { ...any, language: last.language, channelCount: last.channels };
  return [{ ...near, label: last.label }, near, any];
}

/** @returns {{language: string, label: string, channels: number} | undefined} */
function chosenSound() {
  try {
    const { language, label, channels } = JSON.parse(localStorage.getItem(SOUND_KEY) ?? "{}");
    return typeof language === "string" ? { language, label: String(label ?? ""), channels: Number(channels) || 2 } : undefined;
  } catch {
    return undefined;
  }
}

/** @param {import("./shaka.js").AudioTrack} track */
function isSurround(track) {
  return (track.channelsCount ?? 0) >= SURROUND;
}
