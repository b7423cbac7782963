import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { useResource } from "../api/resource.js";
import { clock, length, lines, quality, sounds, words } from "../format.js";
import { ChapterList } from "../player/chapters.js";
import { warmPlayer } from "../player/warm.js";
import { Facts, Hero, HeroTitle } from "../ui/hero.js";
import { Icon } from "../ui/icon.js";
import { Trouble } from "../ui/notice.js";
import { Linked } from "../ui/linked.js";
import { Meter } from "../ui/still.js";

/** @typedef {import("../api/types.js").FilmMetadata} Film */
/** @typedef {import("../api/types.js").Home} HomeAnswer */

/**
 * One film: its picture, what it is, and the ways to play it.
 * @param {{videoId: string}} props
 */
export function Title({ videoId }) {
  const path = `videos/${encodeURIComponent(videoId)}/metadata`;
  const { data: film, problem, reload } = /** @type {import("../api/resource.js").Resource<Film>} */ (useResource(path));
  const { data: home } = /** @type {import("../api/resource.js").Resource<HomeAnswer>} */ (useResource("home"));
  useEffect(warmPlayer, []);
  useEffect(() => {
    if (film) document.title = `${film.title} · ottserver`;
  }, [film?.title]);
  if (problem) return html`<${Trouble} problem=${problem} onRetry=${reload} />`;
  if (!film) return html`<div class="skeleton skeleton-hero" role="status"><span class="unseen">Loading the film</span></div>`;
  const progress = film.progress ?? progressIn(home, videoId);
  return html`
    <${Hero} picture=${film.backdrop_url ?? film.thumbnail_url} class="title">
      <${HeroTitle} text=${film.title} />
      <${Facts} year=${film.year} seconds=${film.duration_seconds} renditions=${film.renditions} maturity=${film.maturity} />
      ${progress && html`
        <p class="resume-line"><${Meter} share=${progress.position / progress.duration} label="Watched" />
        <span>${length(progress.duration - progress.position)} left</span></p>
      `}
      <${PlayButtons} film=${film} progress=${progress} />
    <//>
    <div class="title-more">
      <div class="title-words"><${Description} text=${film.description} /><${ChapterList} film=${film} /></div>
      <${Details} film=${film} />
    </div>
  `;
}

/**
 * @param {HomeAnswer | undefined} home
 * @param {string} videoId
 */
function progressIn(home, videoId) {
  return home?.rows.flatMap((row) => row.items).find((film) => film.video_id === videoId && film.progress)?.progress ?? null;
}

/** @param {{film: Film, progress: import("../api/types.js").Progress | null}} props */
function PlayButtons({ film, progress }) {
  const watch = `/watch/${film.video_id}`;
  if (film.status === "failed") return html`<p class="form-wrong">This film cannot be played. The person who runs this server sees why.</p>`;
  if (film.status === "probing") {
    return html`<p class="facts" role="status"><span class="spinner"></span> This film has just arrived. It can be played in a moment.</p>`;
  }
  return html`
    <div class="buttons">
      <a class="button primary large" href=${watch}><${Icon} name="play" />${progress ? `Resume at ${clock(progress.position)}` : "Play"}</a>
      ${progress && html`<a class="button glass large" href="${watch}?from=0"><${Icon} name="restart" />From the start</a>`}
    </div>
  `;
}

/** @param {{text: string}} props */
function Description({ text }) {
  const paragraphs = (text ?? "").split(/\n{2,}/).map((part) => part.trim()).filter(Boolean);
  if (paragraphs.length === 0) return null;
  return html`
    <div class="description">
      ${paragraphs.map((part, n) => html`<p key=${n} class=${/©|\bCC[ -]BY\b|licen[cs]e/i.test(part) ? "credit" : undefined}><${Linked} text=${part} /></p>`)}
    </div>
  `;
}

const CAN_BE_SHOWN = new Set(["ready", "pending"]);
const WHY = { image: "pictures of text", unknown: "unknown format", failed: "unreadable", ready: "", pending: "" };

/** @param {import("../api/types.js").SubtitleFacts} track */
function hidden(track) {
  return `${words(track)} (${WHY[track.state]})`;
}

/** @param {{film: Film}} props */
function Details({ film }) {
  const heights = [...new Set(film.renditions.filter(({ height }) => height).map(({ width, height }) => lines(width, height)))].sort((a, b) => b - a);
  /** @type {[string, ...string[]][]} a name, and what stands below it */
  const pairs = [
    ["Genres", (film.genres ?? []).join(", ")],
    ["Directed by", (film.directors ?? []).join(", ")],
    ["With", (film.actors ?? []).join(", ")],
    ["Quality", heights.map(quality).join(", ")],
    ["Sound", ...sounds(film.audio)],
    ["Subtitles", (film.subtitles ?? []).filter((track) => CAN_BE_SHOWN.has(track.state)).map(words).join(", ")],
    ["Subtitles not shown here", (film.subtitles ?? []).filter((track) => !CAN_BE_SHOWN.has(track.state)).map(hidden).join(", ")],
  ];
  return html`
    <dl class="details">
      ${pairs.filter(([, value]) => value).map(([name, ...values]) => html`
        <div key=${name}><dt>${name}</dt>${values.map((value) => html`<dd key=${value}>${value}</dd>`)}</div>
      `)}
    </dl>
  `;
}
