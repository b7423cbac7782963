import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { clock } from "../format.js";

/** @typedef {import("../api/types.js").Chapter} Chapter */

/** Seconds into a chapter from which going back means its beginning, as with songs. */
const BEGUN = 3;

/** @param {Chapter} chapter @param {number} number from 0 @returns {string} */
export function chapterName(chapter, number) {
  return chapter.title || `Chapter ${number + 1}`;
}

/**
 * @param {Chapter[]} chapters
 * @param {number} time seconds
 * @returns {number} index of the chapter that is shown then, -1 before the first
 */
export function chapterAt(chapters, time) {
  return chapters.reduce((found, chapter, n) => (chapter.start_seconds <= time + 0.05 ? n : found), -1);
}

/**
 * @param {Chapter[]} chapters
 * @param {number} time seconds
 * @param {1 | -1} way
 * @returns {number} index of the chapter to go to, -1 where there is none
 */
export function nextChapter(chapters, time, way) {
  const at = chapterAt(chapters, time);
  const begun = at >= 0 && time - (chapters[at]?.start_seconds ?? 0) > BEGUN;
  const to = way > 0 ? at + 1 : begun ? at : at - 1;
  return to >= 0 && to < chapters.length ? to : -1;
}

/**
 * Marks on the time line where chapters begin, and the name of the one under the pointer.
 * @param {{chapters: Chapter[], seconds: number}} props `seconds`: length of the film
 */
export function ChapterMarks({ chapters, seconds }) {
  const [over, setOver] = useState(/** @type {{share: number} | undefined} */ (undefined));
  useEffect(() => {
    const line = document.querySelector(".player-line media-time-range");
    if (!line) return;
    const onMove = (/** @type {Event} */ event) => {
      const { left, width } = line.getBoundingClientRect();
      const share = (/** @type {PointerEvent} */ (event).clientX - left - 10) / (width - 20);
      setOver({ share: Math.max(0, Math.min(1, share)) });
    };
    const onLeave = () => setOver(undefined);
    line.addEventListener("pointermove", onMove);
    line.addEventListener("pointerleave", onLeave);
    return () => {
      line.removeEventListener("pointermove", onMove);
      line.removeEventListener("pointerleave", onLeave);
    };
  }, []);
  const at = over ? chapterAt(chapters, over.share * seconds) : -1;
  const named = chapters[at];
  return html`
    <div class="player-marks" aria-hidden="true">
      ${chapters.filter((chapter) => chapter.start_seconds > 0).map((chapter) => html`
        <i key=${chapter.start_seconds} style=${{ left: `${(100 * chapter.start_seconds) / seconds}%` }}></i>
      `)}
      ${over && named && html`<span style=${{ left: `${100 * over.share}%` }}>${chapterName(named, at)}</span>`}
    </div>
  `;
}

/**
 * The film's chapters, each a way into it.
 * @param {{film: import("../api/types.js").FilmMetadata}} props
 */
export function ChapterList({ film }) {
  if (!film.chapters?.length) return null;
  return html`
    <section class="chapters" aria-label="Chapters">
      <h2>Chapters</h2>
      <ol>
        ${film.chapters.map((chapter, n) => html`
          <li key=${chapter.start_seconds}><a href="/watch/${film.video_id}?from=${chapter.start_seconds}"><span>${clock(Math.round(chapter.start_seconds))}</span>${chapterName(chapter, n)}</a></li>
        `)}
      </ol>
    </section>
  `;
}
