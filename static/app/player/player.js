import "media-chrome";
import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { words } from "../format.js";
import { BottomChrome, MiddleChrome, TopChrome } from "./controls.js";
import { openEngine } from "./engine.js";
import { listenToKeys } from "./keys.js";
import { Help } from "./help.js";
import { keepLease } from "./lease.js";
import { useOutage } from "./outage.js";
import { Broken, TheEnd } from "./overlays.js";
import { seekOnRelease } from "./scrub.js";
import { Stats } from "./stats.js";
import { useSubtitles } from "./subtitles.js";
import { showThumbnails } from "./thumbnails.js";
import { useTracks } from "./tracks.js";
import { useWaiting } from "./waiting.js";

/**
 * @typedef {object} PlayerProps
 * @property {import("../api/types.js").PlayGrant} grant
 * @property {string} url of the manifest
 * @property {import("./original.js").Original | undefined} original the film as it is, where it is offered
 * @property {number[]} classes of the film's ladder, best first
 * @property {number} startAt seconds
 * @property {string} title
 * @property {string} videoId
 * @property {import("../api/types.js").Chapter[]} chapters
 * @property {string} spoken language of the film's sound
 * @property {string | null} picture shown until the film's own first picture is there
 * @property {() => void} onBack
 * @property {() => void} onAbout to the page about the film
 * @property {(from: number) => void} onRestart ask for a new permission and go on at `from` seconds
 * @property {(from: number) => boolean} onExpired the permission ran out; whether another is asked for
 * @property {(sentence: string, at: number, reason: string) => void} onGone the session was ended, and why
 * @property {(most: number) => number} tallest height in pixels of the tallest picture of a height class up to that
 */

/** @typedef {import("./shaka.js").Player} Player */

const TOGGLES = ["mediatogglesubtitlesrequest", "mediashowsubtitlesrequest", "mediadisablesubtitlesrequest"];

/**
 * A film playing across the whole window.
 * @param {PlayerProps} props
 */
export function FilmPlayer({ grant, url, original, classes, startAt, title, videoId, chapters, spoken, picture, onBack, onAbout, onRestart, onExpired, onGone, tallest }) {
  const stage = useRef(/** @type {HTMLDivElement | null} */ (null));
  const video = useRef(/** @type {HTMLVideoElement | null} */ (null));
  const [player, setPlayer] = useState(/** @type {Player | undefined} */ (undefined));
  const [ended, setEnded] = useState(false);
  const [aside, setAside] = useState(/** @type {"stats" | "help" | undefined} */ (undefined));
  const [told, setTold] = useState({ text: "", turn: 0 });
  const tracks = useTracks(player, classes);
  const subtitles = useSubtitles(video.current, grant, videoId, spoken);
  const now = useRef({ chapters, subtitles, tallest });
  now.current = { chapters, subtitles, tallest };
  const waiting = useWaiting(video.current);
  const { stopped, onFail } = useOutage(video.current, player);

  useEffect(() => {
    const element = video.current;
    const box = stage.current;
    const controller = /** @type {HTMLElement | null} */ (box?.querySelector("media-controller") ?? null);
    if (!element || !box || !controller) return;
    const at = () => (element.readyState > 0 ? element.currentTime : startAt);
    /** @type {(() => void) | undefined} */
    let hideThumbnails;
    let pictured = "";
    const onPictured = (/** @type {string} */ thumbnails) => {
      const index = new URL(thumbnails, new URL(url, location.href)).pathname;
      if (index === pictured) return;
      // A long film has a rough set first.
      pictured = index;
      hideThumbnails?.();
      hideThumbnails = showThumbnails(box, element, index);
    };
    if (grant.thumbnails_url) onPictured(new URL(grant.thumbnails_url, location.href).pathname);
    let lowered = false;
    const lease = keepLease(element, grant, {
      gone: (sentence, reason) => onGone(sentence, at(), reason),
      pictured: onPictured,
      // What is here plays on; the next part comes in what the plan still shows.
      lowered: (most) => {
        lowered = true;
        engine.player.configure("restrictions.maxHeight", now.current.tallest(most));
      },
    });
    const expired = async (/** @type {import("./engine.js").Failure} */ failure) => {
      lowered = false;
      if (!(await lease.ask())) return; // it was ended, which has been told
      if (lowered) engine.player.retryStreaming(0);
      else if (!onExpired(at())) onFail(failure);
    };
    const engine = openEngine(element, url, original, startAt, grant.start, (failure) => {
      if (failure.expired) void expired(failure);
      else onFail(failure);
    });
    setPlayer(engine.player);
    const stopScrubbing = seekOnRelease(box);
    // The button and the key ask for the subtitles of the browser's language: here the viewer's own choice decides.
    const onToggle = (/** @type {Event} */ event) => {
      event.stopImmediatePropagation();
      now.current.subtitles.toggle();
    };
    for (const name of TOGGLES) box.addEventListener(name, onToggle, true);
    const stopKeys = listenToKeys({
      video: element,
      controller,
      tell: (text) => setTold((last) => ({ text, turn: last.turn + 1 })),
      chapters: () => now.current.chapters,
      onStats: () => setAside((shown) => (shown === "stats" ? undefined : "stats")),
      onHelp: () => setAside((shown) => (shown === "help" ? undefined : "help")),
      onEscape: () => setAside(undefined),
    });
    return () => {
      stopKeys();
      for (const name of TOGGLES) box.removeEventListener(name, onToggle, true);
      stopScrubbing();
      hideThumbnails?.();
      lease.leave();
      void engine.close();
    };
  }, []);

  const again = () => {
    setEnded(false);
    if (!video.current) return;
    video.current.currentTime = 0;
    void video.current.play();
  };
  const onDouble = (/** @type {MouseEvent} */ event) => {
    if (event.target !== video.current) return;
    dispatchEvent(new KeyboardEvent("keydown", { key: "f" }));
  };
  return html`
    <div class="stage" ref=${stage} onDblClick=${onDouble}>
      <media-controller class="player ${waiting ? "waiting" : ""}" nohotkeys autohide="3" tabindex="-1">
        <video slot="media" playsinline ref=${video} aria-label=${title} onEnded=${() => setEnded(true)} onPlaying=${() => setEnded(false)}>
          ${subtitles.tracks.map((track) => html`
            <track key=${track.name} kind=${track.hearing_impaired ? "captions" : "subtitles"} srclang=${track.language} label=${words(track)} src=${new URL(track.url, location.href).pathname} data-name=${track.name} />
          `)}
        </video>
        ${picture && html`<media-poster-image slot="poster" src=${picture}></media-poster-image>`}
        <${TopChrome} title=${title} onBack=${onBack} />
        <${MiddleChrome} />
        <${BottomChrome} video=${video.current} player=${player} tracks=${tracks} subtitles=${subtitles} chapters=${chapters} seconds=${grant.duration_seconds} />
        ${waiting && !stopped && html`<p class="player-waiting" noautohide role="status"><span class="spinner"></span><span class="unseen">Waiting for the film</span></p>`}
        ${told.text && html`<p key=${told.turn} class="player-told" noautohide aria-hidden="true">${told.text}</p>`}
        ${aside === "stats" && player && video.current && html`<${Stats} video=${video.current} player=${player} onClose=${() => setAside(undefined)} />`}
        ${aside === "help" && html`<${Help} onClose=${() => setAside(undefined)} />`}
        ${ended && !stopped && html`<${TheEnd} title=${title} onAgain=${again} onAbout=${onAbout} />`}
        ${stopped && html`<${Broken} sentence=${stopped} onRetry=${() => onRestart(video.current?.currentTime || startAt)} onAbout=${onAbout} />`}
      </media-controller>
    </div>
  `;
}
