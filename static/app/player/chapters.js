import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
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
 * Marks on the time line where chapters begin.
 * @param {{chapters: Chapter[], seconds: number}} props `seconds`: length of the film
 */
export function ChapterMarks({ chapters, seconds }) {
  return html`
    <div class="player-marks" aria-hidden="true">
      ${chapters.filter((chapter) => chapter.start_seconds > 0).map((chapter) => html`
        <i key=${chapter.start_seconds} style=${{ left: `${(100 * chapter.start_seconds) / seconds}%` }}></i>
      `)}
    </div>
  `;
}

const PREVIEWED = "mediapreviewtime";

/**
 * The chapter's name between the picture and the time that are shown for the place under the pointer.
 * @param {{chapters: Chapter[]}} props
 */
export function ChapterName({ chapters }) {
  const [at, setAt] = useState(-1);
  const here = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const line = here.current?.parentElement;
    if (!line) return;
    const look = () => setAt(line.hasAttribute(PREVIEWED) ? chapterAt(chapters, Number(line.getAttribute(PREVIEWED))) : -1);
    const observer = new MutationObserver(look);
    observer.observe(line, { attributeFilter: [PREVIEWED] });
    return () => observer.disconnect();
  }, [chapters]);
  const chapter = chapters[at];
  return html`<span slot="preview" class="player-chapter" ref=${here} hidden=${!chapter}>${chapter && chapterName(chapter, at)}</span>`;
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
