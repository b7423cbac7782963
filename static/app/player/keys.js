import { clock } from "../format.js";
import { chapterName, nextChapter } from "./chapters.js";
import { SPEEDS, speedOf } from "./speed.js";

const STEP = 10;

/**
 * @typedef {object} Deck what keys can work on
 * @property {HTMLVideoElement} video
 * @property {HTMLElement} controller the media-controller
 * @property {(text: string) => void} tell shows what a key did
 * @property {() => import("../api/types.js").Chapter[]} chapters
 * @property {() => void} onStats
 * @property {() => void} onHelp
 * @property {() => void} onEscape
 */

/** @param {HTMLVideoElement} video @param {number} time seconds */
function seek(video, time) {
  const end = Number.isFinite(video.duration) ? video.duration : time;
  video.currentTime = Math.max(0, Math.min(end, time));
}

/** @param {Deck} deck @param {number} by seconds */
function skip({ video, tell }, by) {
  seek(video, video.currentTime + by);
  tell(`${by > 0 ? "+" : "−"}${Math.abs(by)} s`);
}

/** @param {Deck} deck @param {number} by part of the full volume */
function louder({ video, tell }, by) {
  video.muted = false;
  video.volume = Math.max(0, Math.min(1, Math.round((video.volume + by) * 20) / 20));
  tell(`Volume ${Math.round(video.volume * 100)} %`);
}

/** @param {Deck} deck @param {1 | -1} way */
function faster({ video, tell }, way) {
  const now = speedOf(video);
  const at = SPEEDS.findIndex((speed) => speed >= now);
  const next = SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, at + way))] ?? 1;
  video.playbackRate = next;
  tell(`Speed ${next}×`);
}

/** @param {Deck} deck @param {1 | -1} way */
function toChapter({ video, chapters, tell }, way) {
  const all = chapters();
  const to = nextChapter(all, video.currentTime, way);
  const chapter = all[to];
  if (!chapter) return;
  seek(video, chapter.start_seconds);
  tell(chapterName(chapter, to));
}

/** @param {Deck} deck */
function toggle({ video }) {
  if (video.paused) video.play().catch(() => undefined);
  else video.pause();
}

/** @param {Deck} deck @param {string} request of media-chrome */
function ask({ controller }, request) {
  controller.dispatchEvent(new CustomEvent(request));
}

/** @type {Record<string, (deck: Deck) => void>} */
const KEYS = {
  " ": toggle,
  k: toggle,
  ArrowLeft: (deck) => skip(deck, -STEP),
  ArrowRight: (deck) => skip(deck, STEP),
  j: (deck) => skip(deck, -STEP),
  l: (deck) => skip(deck, STEP),
  ArrowUp: (deck) => louder(deck, 0.05),
  ArrowDown: (deck) => louder(deck, -0.05),
  "<": (deck) => faster(deck, -1),
  ">": (deck) => faster(deck, 1),
  "[": (deck) => toChapter(deck, -1),
  "]": (deck) => toChapter(deck, 1),
  m: (deck) => {
    deck.video.muted = !deck.video.muted;
    deck.tell(deck.video.muted ? "Muted" : "Sound on");
  },
  f: (deck) => ask(deck, document.fullscreenElement ? "mediaexitfullscreenrequest" : "mediaenterfullscreenrequest"),
  p: (deck) => ask(deck, document.pictureInPictureElement ? "mediaexitpiprequest" : "mediaenterpiprequest"),
  c: (deck) => ask(deck, "mediatogglesubtitlesrequest"),
  i: (deck) => deck.onStats(),
  "?": (deck) => deck.onHelp(),
  Escape: (deck) => deck.onEscape(),
};

/**
 * Whether the element that has the focus wants this key for itself.
 * @param {KeyboardEvent} event
 * @returns {boolean}
 */
function isTaken(event) {
  const path = event.composedPath().filter((node) => node instanceof HTMLElement);
  if (path.some((node) => node.isContentEditable || node.matches("input:not([type=range]), textarea, select, dialog"))) return true;
  const arrow = event.key.startsWith("Arrow");
  if ((arrow || event.key === " ") && path.some((node) => node.matches("[role=menu], [role^=menuitem]"))) return true;
  if (arrow && path.some((node) => node.matches("input[type=range], media-time-range, media-volume-range"))) return true;
  return event.key === " " && path.some((node) => node.matches("button, a, [role=button]"));
}

/**
 * Keys of the player, wherever the focus is on its page.
 * @param {Deck} deck
 * @returns {() => void} stops listening
 */
export function listenToKeys(deck) {
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTaken(event)) return;
    const digit = /^[0-9]$/.test(event.key) && Number.isFinite(deck.video.duration);
    const act = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
    if (!digit && !act) return;
    event.preventDefault();
    if (digit) {
      seek(deck.video, (deck.video.duration * Number(event.key)) / 10);
      deck.tell(clock(deck.video.currentTime));
    } else act?.(deck);
  };
  addEventListener("keydown", onKey);
  return () => removeEventListener("keydown", onKey);
}
