import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { length, size, timeLeft } from "../format.js";
import { Icon } from "../ui/icon.js";
import { Still } from "../ui/still.js";
import { say } from "../ui/toast.js";
import { isNoFilm } from "./film-files.js";
import { Rungs } from "./rungs.js";
import { sendFile } from "./uploads.js";

/** @typedef {import("../api/types.js").AdminFilm} AdminFilm */

const STATES = { probing: "Being looked at", playable: "Playable, encoding", complete: "Complete", failed: "Failed" };

/** @param {AdminFilm} film @returns {string} */
function stateOf(film) {
  return film.status === "playable" && film.made === 1 ? "Playable, finishing" : STATES[film.status];
}

/** @param {AdminFilm} film @returns {string} how much of it is made and how long the rest takes */
function farOf(film) {
  if (film.status !== "playable" || film.made === 1) return "";
  const left = film.seconds_left === null ? "" : timeLeft(film.seconds_left);
  return [`${Math.floor(film.made * 100)} %`, left].filter(Boolean).join(" · ");
}

/**
 * One film of the library with what is being done to it.
 * @param {{film: AdminFilm, onEdit: () => void, onWords: () => void, onDelete: () => void}} props
 */
export function FilmRow({ film, onEdit, onWords, onDelete }) {
  const facts = [length(film.duration_seconds), film.size_bytes ? size(film.size_bytes) : ""].filter(Boolean).join(" · ");
  const playable = film.status === "playable" || film.status === "complete";
  return html`
    <li class="film" data-status=${film.status} data-video=${film.video_id}>
      <a class="film-still" href="/title/${film.video_id}" tabindex="-1" aria-hidden="true"><${Still} title="" url=${film.thumbnail_url} /></a>
      <div class="film-text">
        <h3><a href="/title/${film.video_id}">${film.title}</a></h3>
        <p class="film-facts"><span class="state ${film.status}">${film.status === "probing" && html`<span class="spinner"></span>`}${stateOf(film)}</span>${farOf(film) && html` <span class="state-far">${farOf(film)}</span>`}${facts && html` <span>${facts}</span>`}</p>
        ${film.reason && html`<p class="wrong">${film.reason}</p>`}
        ${film.waits_for && html`<p class="film-waits">${film.waits_for}</p>`}
        ${film.status === "playable" && html`<${Rungs} film=${film} />`}
      </div>
      <div class="row-buttons">
        ${playable && html`<a class="button round" href="/watch/${film.video_id}" aria-label="Play ${film.title}" title="Play"><${Icon} name="play" /></a>`}
        ${film.status === "failed" && html`<${Replace} film=${film} />`}
        ${playable && html`<button class="button round" aria-label="Subtitles of ${film.title}" title="Subtitles" onClick=${onWords}><${Icon} name="words" /></button>`}
        <button class="button round" aria-label="Edit ${film.title}" title="Edit" onClick=${onEdit}><${Icon} name="edit" /></button>
        <button class="button round" aria-label="Delete ${film.title}" title="Delete" onClick=${onDelete}><${Icon} name="trash" /></button>
      </div>
    </li>
  `;
}

/** Give a film that failed other bytes. @param {{film: AdminFilm}} props */
function Replace({ film }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const onChange = () => {
    const file = input.current?.files?.[0];
    if (!file) return;
    if (isNoFilm(file)) say(`“${file.name}” is not a film.`);
    else sendFile(file, { videoId: film.video_id });
    if (input.current) input.current.value = "";
  };
  return html`
    <button class="button small" onClick=${() => input.current?.click()}><${Icon} name="replace" />Replace the file</button>
    <input ref=${input} type="file" hidden aria-label="Another file for ${film.title}" onChange=${onChange} />
  `;
}
