import "media-chrome";
import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { BottomChrome, MiddleChrome, TopChrome } from "./controls.js";
import { openEngine } from "./engine.js";
import { listenToKeys } from "./keys.js";
import { keepLease } from "./lease.js";
import { Broken, TheEnd } from "./overlays.js";
import { seekOnRelease } from "./scrub.js";
import { Stats } from "./stats.js";
import { useTracks } from "./tracks.js";

/**
 * @typedef {object} PlayerProps
 * @property {import("../api/types.js").PlayGrant} grant
 * @property {string} url of the manifest
 * @property {number} startAt seconds
 * @property {string} title
 * @property {string | null} picture shown until the film's own first picture is there
 * @property {() => void} onBack
 * @property {(from: number) => void} onRestart ask for a new permission and go on at `from` seconds
 * @property {(from: number) => boolean} onExpired the permission ran out; whether another is asked for
 * @property {(sentence: string, at: number) => void} onGone the session was ended elsewhere
 */

/** @typedef {import("./shaka.js").Player} Player */

/**
 * A film playing across the whole window.
 * @param {PlayerProps} props
 */
export function FilmPlayer({ grant, url, startAt, title, picture, onBack, onRestart, onExpired, onGone }) {
  const stage = useRef(/** @type {HTMLDivElement | null} */ (null));
  const video = useRef(/** @type {HTMLVideoElement | null} */ (null));
  const [player, setPlayer] = useState(/** @type {Player | undefined} */ (undefined));
  const [failure, setFailure] = useState("");
  const [opening, setOpening] = useState(true);
  const [ended, setEnded] = useState(false);
  const [stats, setStats] = useState(false);
  const [told, setTold] = useState({ text: "", turn: 0 });
  const tracks = useTracks(player);

  useEffect(() => {
    const element = video.current;
    const box = stage.current;
    const controller = /** @type {HTMLElement | null} */ (box?.querySelector("media-controller") ?? null);
    if (!element || !box || !controller) return;
    const at = () => (element.readyState > 0 ? element.currentTime : startAt);
    const leave = keepLease(element, grant, (sentence) => onGone(sentence, at()));
    const engine = openEngine(element, url, startAt, grant.subtitles ?? [], ({ sentence, expired }) => {
      if (!expired || !onExpired(at())) setFailure(sentence);
    });
    setPlayer(engine.player);
    const stopScrubbing = seekOnRelease(box);
    const stopKeys = listenToKeys({
      video: element,
      controller,
      tell: (text) => setTold((last) => ({ text, turn: last.turn + 1 })),
      onStats: () => setStats((shown) => !shown),
    });
    return () => {
      stopKeys();
      stopScrubbing();
      leave();
      void engine.close();
    };
  }, []);

  const again = () => {
    setEnded(false);
    if (!video.current) return;
    video.current.currentTime = 0;
    void video.current.play();
  };
  const onPlaying = () => {
    setOpening(false);
    setEnded(false);
  };
  const onDouble = (/** @type {MouseEvent} */ event) => {
    if (event.target !== video.current) return;
    dispatchEvent(new KeyboardEvent("keydown", { key: "f" }));
  };
  return html`
    <div class="stage" ref=${stage} onDblClick=${onDouble}>
      <media-controller class="player ${opening ? "opening" : ""}" nohotkeys autohide="3">
        <video slot="media" playsinline ref=${video} aria-label=${title} onEnded=${() => setEnded(true)} onLoadedData=${() => setOpening(false)} onPlaying=${onPlaying}></video>
        ${picture && html`<media-poster-image slot="poster" src=${picture}></media-poster-image>`}
        <media-loading-indicator slot="centered-chrome" noautohide></media-loading-indicator>
        <${TopChrome} title=${title} onBack=${onBack} />
        <${MiddleChrome} />
        <${BottomChrome} video=${video.current} player=${player} tracks=${tracks} />
        ${opening && !failure && html`<p class="player-opening" noautohide role="status"><span class="spinner"></span><span class="unseen">The film is being opened</span></p>`}
        ${told.text && html`<p key=${told.turn} class="player-told" noautohide aria-hidden="true">${told.text}</p>`}
        ${stats && player && video.current && html`<${Stats} video=${video.current} player=${player} onClose=${() => setStats(false)} />`}
        ${ended && !failure && html`<${TheEnd} title=${title} onAgain=${again} onBack=${onBack} />`}
        ${failure && html`<${Broken} sentence=${failure} onRetry=${() => onRestart(video.current?.currentTime || startAt)} onBack=${onBack} />`}
      </media-controller>
    </div>
  `;
}
