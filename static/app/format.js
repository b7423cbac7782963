/** @param {number | null | undefined} seconds @returns {string} "1 h 32 min", "24 min" or "30 s" */
export function length(seconds) {
  if (!seconds) return "";
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const rest = minutes % 60;
  return rest ? `${Math.floor(minutes / 60)} h ${rest} min` : `${minutes / 60} h`;
}

/** @param {number} seconds @returns {string} "1:02:03" or "2:03" */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** @param {number} bytes @returns {string} decimal units, as disks are sold: "4.1 GB" */
export function size(bytes) {
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** @param {number} seconds @returns {string} "about 3 min left" */
export function timeLeft(seconds) {
  if (!Number.isFinite(seconds)) return "";
  return seconds < 5 ? "a few seconds left" : `about ${length(Math.ceil(seconds))} left`;
}

/** @param {number} price in whole units @param {string} currency ISO 4217 @returns {string} */
export function money(price, currency) {
  return new Intl.NumberFormat("en-IN", { style: "currency", currency, maximumFractionDigits: Number.isInteger(price) ? 0 : 2 }).format(price);
}

/** @param {string} time RFC 3339 @returns {string} "12 March 2026" */
export function day(time) {
  return new Intl.DateTimeFormat("en-GB", { dateStyle: "long" }).format(new Date(time));
}

/** @param {string} time RFC 3339 @returns {string} "12 March 2026 at 18:05" */
export function moment(time) {
  return new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "short" }).format(new Date(time));
}

/** Boxes of the quality classes: long side by short side, in pixels. */
const CLASSES = [[854, 480], [1280, 720], [1920, 1080], [3840, 2160]];

/**
 * What people know a picture by: 1920 by 800 is 1080p, and 640 by 360 is 360p.
 * @param {number} width
 * @param {number} height
 * @returns {number}
 */
export function lines(width, height) {
  const long = Math.max(width, height);
  const short = Math.min(width, height);
  const box = CLASSES.find(([a, b]) => long <= a + 8 && short <= b + 8);
  if (!box) return short;
  return box === CLASSES[0] && long < 800 && short < 450 ? short : box[1];
}

/** @param {number} height of a rendition's class @returns {string} "4K" or "1080p" */
export function quality(height) {
  return height >= 2160 ? "4K" : `${height}p`;
}

const UNKNOWN = "Unknown language";
const LANGUAGES = new Intl.DisplayNames(["en"], { type: "language", fallback: "none" });

/** @param {string} code BCP 47 or ISO 639 @param {string} [label] of the track @returns {string} */
export function language(code, label) {
  if (label) return label;
  try {
    return (code && code !== "und" && LANGUAGES.of(code)) || UNKNOWN;
  } catch {
    return UNKNOWN;
  }
}

/**
 * @param {{language: string, label: string, forced: boolean, hearing_impaired: boolean}} track
 * @returns {string} "English", "English (forced)" or "English (SDH)"
 */
export function words(track) {
  const name = language(track.language, track.label);
  const marks = [track.forced && !/forced/i.test(name) && "forced", track.hearing_impaired && !/sdh/i.test(name) && "SDH"].filter(Boolean);
  return marks.length ? `${name} (${marks.join(", ")})` : name;
}

/** @param {string} code @param {string | null} label of the track @returns {boolean} whether the film says what it is */
export function isNamed(code, label) {
  return language(code, label ?? "") !== UNKNOWN;
}

/** @param {number} channels @returns {string} */
function channels(channels) {
  return { 1: "mono", 2: "stereo", 6: "5.1", 8: "7.1" }[channels] ?? `${channels} channels`;
}

/**
 * What one can hear, each language or commentary once.
 * @param {{language: string, label: string, channels: number}[]} tracks
 * @returns {string[]} such as "English, stereo · 5.1"; without a name where the film says none
 */
export function sounds(tracks) {
  const found = /** @type {Map<string, string[]>} */ (new Map());
  for (const track of tracks) {
    const name = language(track.language, track.label);
    const ways = found.get(name) ?? [];
    const way = channels(track.channels);
    found.set(name, ways.includes(way) ? ways : [...ways, way]);
  }
  return [...found].map(([name, ways]) => {
    const how = ways.join(" · ");
    return name === UNKNOWN ? how.charAt(0).toUpperCase() + how.slice(1) : `${name}, ${how}`;
  });
}

/**
 * @param {{language: string, label: string, channels: number}} track
 * @returns {string} "English (5.1)", or "Stereo" where the film does not say its language
 */
export function sound(track) {
  const name = language(track.language, track.label);
  const how = channels(track.channels);
  return name === UNKNOWN ? how.charAt(0).toUpperCase() + how.slice(1) : `${name} (${how})`;
}
