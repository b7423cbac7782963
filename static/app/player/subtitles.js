import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "../api/client.js";
import { words } from "../format.js";
import { session } from "../session.js";

/** @typedef {import("../api/types.js").Words} Words */
/** @typedef {import("../api/types.js").FilmMetadata} Film */
/** @typedef {{language: string, hearing_impaired: boolean} | "off"} Wish */
/**
 * @typedef {object} Subtitles
 * @property {Words[]} tracks
 * @property {import("./tracks.js").Choice[]} choices "off" first
 * @property {string} chosen name of a track, or "off"
 * @property {(name: string) => void} choose
 * @property {() => void} toggle
 */

/** Seconds after which the server is asked whether subtitles that were still being read are there by now. */
const LOOKS = [3, 5, 10, 20, 40, 60, 120, 300];

const key = () => `subtitles:${session.value.state === "in" ? session.value.account.user_id : ""}`;

/** @returns {Wish | undefined} what this viewer chose last, in any film */
function remembered() {
  try {
    return JSON.parse(localStorage.getItem(key()) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

/** @param {Wish} wish */
function remember(wish) {
  try {
    localStorage.setItem(key(), JSON.stringify(wish));
  } catch {
    // A browser that keeps nothing asks again in the next film.
  }
}

/** Tracks of subtitles; the pictures of the seek bar are one as well. @type {"track"} */
const TRACKS = /** @type {any} */ ("track[data-name]");

/** @param {string} tag @returns {string} its language without place and script */
const base = (tag) => tag.split("-")[0] ?? tag;

/**
 * What is shown when nobody has chosen in this film yet: what was chosen in the last one, else what the film itself
 * wants shown, which is most often nothing.
 * @param {Words[]} tracks
 * @param {Wish | undefined} wish
 * @param {string} spoken language of the sound
 * @returns {string} name of a track, or "off"
 */
export function pick(tracks, wish, spoken) {
  const whole = tracks.filter((track) => !track.forced);
  if (wish && wish !== "off") {
    const same = whole.filter((track) => base(track.language) === base(wish.language));
    const found = same.find((track) => track.hearing_impaired === wish.hearing_impaired) ?? same[0];
    if (found) return found.name;
  }
  const meant = wish ? undefined : whole.find((track) => track.default);
  const forced = tracks.find((track) => track.forced && (base(track.language) === base(spoken) || track.language === "und"));
  return (meant ?? forced)?.name ?? "off";
}

/**
 * The subtitles of the film that plays; those that are still being read come later, without anything waiting for them.
 * @param {HTMLVideoElement | null} video whose `track` elements are named by `data-name`
 * @param {import("../api/types.js").PlayGrant} grant
 * @param {string} videoId
 * @param {string} spoken language of the sound
 * @returns {Subtitles}
 */
export function useSubtitles(video, grant, videoId, spoken) {
  const [tracks, setTracks] = useState(grant.subtitles);
  const [own, setOwn] = useState(/** @type {string | undefined} */ (undefined));
  const last = useRef("");
  const chosen = own ?? pick(tracks, remembered(), spoken);

  useEffect(() => {
    let turn = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const look = async () => {
      const film = /** @type {Film | undefined} */ (await get(`videos/${encodeURIComponent(videoId)}/metadata`).catch(() => undefined));
      const ready = film?.subtitles.filter((track) => track.state === "ready") ?? [];
      const folder = grant.manifest_url.slice(0, grant.manifest_url.lastIndexOf("/"));
      setTracks((known) => {
        const fresh = ready.filter((track) => !known.some((other) => other.name === track.name));
        return fresh.length ? [...known, ...fresh.map((track) => ({ ...track, url: `${folder}/${grant.presentation_id}/${track.name}/subtitles.vtt` }))] : known;
      });
      if (!film || film.subtitles.some((track) => track.state === "pending")) again();
    };
    const again = () => {
      const wait = LOOKS[turn];
      turn += 1;
      if (wait) timer = setTimeout(look, wait * 1000);
    };
    again();
    return () => clearTimeout(timer);
  }, []);

  useEffect(() => {
    if (!video) return;
    const show = () => {
      for (const element of video.querySelectorAll(TRACKS)) {
        const mode = element.dataset.name === chosen ? "showing" : "disabled";
        if (element.track.mode !== mode) element.track.mode = mode;
      }
    };
    show();
    // Browsers choose among tracks by themselves when a film's metadata are there (HTML, automatic text track selection).
    const events = ["loadedmetadata", "playing"];
    for (const name of events) video.addEventListener(name, show, { once: true });
    return () => events.forEach((name) => video.removeEventListener(name, show));
  }, [video, tracks, chosen]);

  const choose = (/** @type {string} */ name) => {
    const track = tracks.find((candidate) => candidate.name === name);
    if (track) last.current = name;
    if (!track?.forced) remember(track ? { language: track.language, hearing_impaired: track.hearing_impaired } : "off");
    setOwn(name);
  };
  const toggle = () => {
    const shown = tracks.find((track) => track.name === chosen);
    if (shown && !shown.forced) {
      last.current = chosen;
      choose("off");
      return;
    }
    const whole = tracks.filter((track) => !track.forced);
    const next = whole.find((track) => track.name === last.current) ?? whole.find((track) => base(track.language) === base(navigator.language)) ?? whole[0];
    if (next) choose(next.name);
  };
  return { tracks, chosen, choose, toggle, choices: [{ value: "off", label: "Off" }, ...tracks.map((track) => ({ value: track.name, label: words(track) }))] };
}
