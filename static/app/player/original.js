import { speedOf } from "./speed.js";

/** @typedef {import("./shaka.js").Player} Player */
/** @typedef {{url: string, height: number}} Original */
/**
 * @typedef {object} Before
 * @property {number} at seconds
 * @property {boolean} paused
 * @property {number} speed
 * @property {import("./shaka.js").AudioTrack | undefined} sound
 */

/** Kinds of picture that not every browser decodes: how their names begin, and a modest one of each kind. */
const KINDS = {
  "avc1.6e": "avc1.6e0028",
  "hvc1.1": "hvc1.1.6.L93.B0",
  "hvc1.2": "hvc1.2.4.L93.B0",
  "vp09.00": "vp09.00.30.08",
  "vp09.02": "vp09.02.30.10",
  "av01.0": "av01.0.05M.08",
};
const CHOICE = "ottserver.original";

/** @param {string} codecs @returns {boolean} */
function plays(codecs) {
  const source = globalThis.MediaSource ?? Reflect.get(globalThis, "ManagedMediaSource");
  return Boolean(source?.isTypeSupported(`video/mp4; codecs="${codecs}"`));
}

/** @returns {string} what this browser decodes beside plain H.264, as the server wants to know it */
export function decodable() {
  return Object.entries(KINDS).filter(([, codecs]) => plays(codecs)).map(([name]) => name).join(",");
}

/**
 * The original of a film, where there is one that this browser plays in its very size and kind.
 * @param {import("../api/types.js").PlayGrant} grant
 * @param {boolean} hls
 * @returns {Original | undefined}
 */
export function originalOf({ original }, hls) {
  if (!original || !plays(original.codecs)) return undefined;
  return { url: new URL(hls ? original.manifest_url : original.dash_url, location.href).pathname, height: original.height };
}

/** @returns {boolean} whether this browser's viewer last wanted films as they are */
function wanted() {
  try {
    return localStorage.getItem(CHOICE) !== null;
  } catch {
    return false; // storage is forbidden
  }
}

/** @param {boolean} original */
function remember(original) {
  try {
    if (original) localStorage.setItem(CHOICE, "yes");
    else localStorage.removeItem(CHOICE);
  } catch {
    // storage is forbidden or full: the next film begins without
  }
}

/** @type {WeakMap<Player, Source>} */
const sources = new WeakMap();

/** @param {Player} player @returns {Source | undefined} what it plays from */
export function sourceOf(player) {
  return sources.get(player);
}

/** The two manifests of a film, of which one is played: that of the ladder, or that of the original. */
export class Source {
  /**
   * @param {Player} player
   * @param {HTMLVideoElement} video
   * @param {string} ladder address of its manifest
   * @param {Original | undefined} original
   */
  constructor(player, video, ladder, original) {
    this.player = player;
    this.video = video;
    this.ladder = ladder;
    this.original = original;
    /** Whether the original is what plays. */
    this.isOriginal = Boolean(original) && wanted();
    /** Seconds at which a manifest was last loaded. */
    this.at = 0;
    /** Called when the other manifest was chosen, before it is loaded. @type {() => void} */
    this.onChange = () => {};
    /** How it played before a change that is under way. @type {Before | undefined} */
    this.before = undefined;
    /** Classes that the ladder had when it was last looked at. @type {number[]} */
    this.heights = [];
    sources.set(player, this);
  }

  /** @param {number} at seconds */
  async load(at) {
    this.at = at;
    await this.player.load(this.isOriginal && this.original ? this.original.url : this.ladder, at);
  }

  /**
   * Go on with the other manifest where the film stands, with the same sound and speed. Subtitles are the element's own and
   * stay.
   * @param {boolean} original
   */
  async choose(original) {
    if (original === this.isOriginal || !this.original) return;
    remember(original);
    await this.change(original);
  }

  /**
   * Go back to the ladder because the original cannot be played.
   * @returns {boolean} whether there was an original to leave
   */
  leave() {
    if (!this.isOriginal) return false;
    this.original = undefined;
    this.change(false).catch(() => undefined);
    return true;
  }

  /** @param {boolean} original */
  async change(original) {
    const { player, video } = this;
    // Where another change is still under way the element stands nowhere: what it was before counts.
    const before = this.before ?? {
      at: video.readyState > HTMLMediaElement.HAVE_NOTHING ? video.currentTime : this.at,
      paused: video.paused,
      speed: speedOf(video),
      sound: player.getAudioTracks().find((track) => track.active),
    };
    this.before = before;
    this.isOriginal = original;
    this.onChange();
    await this.load(before.at);
    this.before = undefined;
    video.playbackRate = before.speed;
    const { sound } = before;
    const sameSound = sound && player.getAudioTracks().find((track) => same(track, sound) && track.channelsCount === sound.channelsCount);
    if (sameSound && !sameSound.active) player.selectAudioTrack(sameSound);
    if (!before.paused) await video.play();
  }
}

/**
 * @param {{language: string, label: string | null}} a
 * @param {{language: string, label: string | null}} b
 */
function same(a, b) {
  return a.language === b.language && (a.label ?? "") === (b.label ?? "");
}
