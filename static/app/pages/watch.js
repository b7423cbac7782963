import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useResource } from "../api/resource.js";
import { useGrant } from "../player/grant.js";
import { originalOf } from "../player/original.js";
import { Ended, ScreensInUse } from "../player/overlays.js";
import { FilmPlayer } from "../player/player.js";
import { refusal } from "../player/refusal.js";
import { goBack, navigate, place, returnTo } from "../router.js";
import { Notice, Trouble } from "../ui/notice.js";

/** @typedef {import("../api/types.js").FilmMetadata} Film */

/** Milliseconds within which a permission that ran out again is not asked for by itself. */
const RENEWAL_GAP = 60_000;

/**
 * @returns {number | undefined} seconds that the address asks to start at
 */
function fromAddress() {
  const text = place.value.query.get("from");
  const from = text === null ? Number.NaN : Number(text);
  return Number.isFinite(from) && from >= 0 ? from : undefined;
}

/**
 * @param {Film | undefined} film
 * @param {number} most what the viewer's plan shows
 * @returns {number[]} classes of the film's ladder, best first
 */
function classesOf(film, most) {
  const heights = film?.renditions.map((rendition) => rendition.height_class).filter((height) => height <= most);
  return [...new Set(heights)].sort((a, b) => b - a);
}

/**
 * @param {Film | undefined} film
 * @param {number} most height class
 * @returns {number} pixels of the tallest picture that the class includes; of the least one where none is that low
 */
function tallestOf(film, most) {
  const pictures = film?.renditions ?? [];
  const heights = pictures.filter((rendition) => rendition.height_class <= most).map((rendition) => rendition.height);
  return Math.max(...heights, Math.min(most, ...pictures.map((rendition) => rendition.height)));
}

/**
 * A film being watched: asks for the permission, plays, and says why when it cannot.
 * @param {{videoId: string}} props
 */
export function Watch({ videoId }) {
  const [go, setGo] = useState({ turn: 0, from: fromAddress() });
  const [gone, setGone] = useState(/** @type {{sentence: string, at: number, reason: string} | undefined} */ (undefined));
  const renewed = useRef(0);
  const { grant, problem } = useGrant(videoId, go.turn);
  const { data: film } = /** @type {import("../api/resource.js").Resource<Film>} */ (useResource(`videos/${encodeURIComponent(videoId)}/metadata`));
  const title = film?.title ?? "";
  const back = () => goBack(`/title/${videoId}`);
  const about = () => returnTo(`/title/${videoId}`);
  const restart = (/** @type {number | undefined} */ from) => {
    setGone(undefined);
    setGo((last) => ({ turn: last.turn + 1, from }));
  };

  useEffect(() => {
    if (title) document.title = `${title} · ottserver`;
  }, [title]);
  useEffect(() => {
    // A page that comes back out of the browser's memory has given its screen away when it was left.
    const onShow = (/** @type {PageTransitionEvent} */ event) => event.persisted && restart(document.querySelector("video")?.currentTime);
    addEventListener("pageshow", onShow);
    return () => removeEventListener("pageshow", onShow);
  }, []);
  useEffect(() => {
    if (problem?.status !== 402) return;
    refusal.set({ videoId, sentence: problem.detail });
    navigate(`/plans?film=${encodeURIComponent(videoId)}`, { replace: true });
  }, [problem]);

  if (gone) return html`<${Ended} sentence=${gone.sentence} reason=${gone.reason} onRetry=${() => restart(gone.at)} onAbout=${about} />`;
  if (problem?.status === 409 && problem.body.sessions) {
    return html`<${ScreensInUse} problem=${problem} onFree=${() => restart(go.from)} onAbout=${about} />`;
  }
  if (problem?.status === 409 || problem?.status === 503) {
    const actions = html`<button class="button primary" onClick=${() => restart(go.from)}>Try again</button><button class="button" onClick=${about}>About the film</button>`;
    return html`<${Notice} icon="film" title="Not quite ready" actions=${actions}>${problem.detail}<//>`;
  }
  if (problem && problem.status !== 402) return html`<${Trouble} problem=${problem} onRetry=${() => restart(go.from)} />`;
  if (!grant) return html`<div class="stage boot" role="status"><span class="spinner"></span><span class="unseen">Asking for the film</span></div>`;
  const hls = place.value.query.get("engine") === "hls";
  const url = hls ? grant.manifest_url : grant.dash_url;
  // A server that knows its public name says it for other players; this page stays with the one it was opened by.
  const { pathname } = new URL(url, location.href);
  return html`
    <${FilmPlayer}
      key=${go.turn}
      grant=${grant}
      url=${pathname}
      original=${originalOf(grant, hls)}
      classes=${classesOf(film, grant.max_height)}
      startAt=${go.from ?? grant.resume_at}
      title=${title}
      videoId=${videoId}
      chapters=${film?.chapters ?? []}
      spoken=${film?.audio.find((track) => track.default)?.language ?? film?.audio[0]?.language ?? "und"}
      picture=${film?.backdrop_url ?? null}
      onBack=${back}
      onAbout=${about}
      tallest=${(/** @type {number} */ most) => tallestOf(film, most)}
      onGone=${(/** @type {string} */ sentence, /** @type {number} */ at, /** @type {string} */ reason) => {
        // What the plan allows now is told by asking again: to go on, or which plan it takes.
        if (reason === "plan") restart(at);
        else setGone({ sentence, at, reason });
      }}
      onRestart=${restart}
      onExpired=${(/** @type {number} */ from) => {
        if (Date.now() - renewed.current < RENEWAL_GAP) return false;
        renewed.current = Date.now();
        restart(from);
        return true;
      }}
    />
  `;
}
