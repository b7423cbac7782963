import { html } from "htm/preact";
import { useCallback, useEffect, useState } from "preact/hooks";
import { finishAnnounced } from "../admin/arrivals.js";
import { DeleteFilm } from "../admin/delete-film.js";
import { DropZone } from "../admin/drop-zone.js";
import { EditFilm } from "../admin/edit-film.js";
import { FilmRow } from "../admin/film-row.js";
import { FilmSubtitles } from "../admin/film-subtitles.js";
import { followLibrary, library, loadFilms, loadMore } from "../admin/films.js";
import { SendingList } from "../admin/sending-list.js";
import { Unfinished } from "../admin/unfinished.js";
import { sendFile } from "../admin/uploads.js";
import { asProblem } from "../api/problem.js";
import { useStore } from "../store.js";
import { Trouble } from "../ui/notice.js";
import { say } from "../ui/toast.js";

/** @typedef {import("../api/types.js").AdminFilm} AdminFilm */
/** @typedef {import("../admin/film-files.js").Find} Find */
/** @typedef {{what: "edit" | "words" | "delete", film: AdminFilm} | undefined} Asked */

/** The library for those who run the server: add films, and see what becomes of each. */
export function Admin() {
  const { films, total, problem, live } = useStore(library);
  const [asked, setAsked] = useState(/** @type {Asked} */ (undefined));
  const onFind = useCallback((/** @type {Find} */ { films, beside }) => films.forEach((file) => sendFile(file, { beside: beside.get(file) })), []);
  const close = useCallback(() => setAsked(undefined), []);
  useEffect(() => {
    void loadFilms();
    void finishAnnounced().then((wrong) => wrong && say(wrong.detail));
    return followLibrary();
  }, []);
  // What an open dialog shows changes with what becomes of the film.
  const film = films?.find((one) => one.video_id === asked?.film.video_id) ?? asked?.film;
  if (problem && !films) return html`<${Trouble} problem=${problem} onRetry=${loadFilms} />`;
  return html`
    <div class="page">
      <header>
        <h1>Library</h1>
        <p class="lead">${films ? sentence(films, total) : "Looking through the shelves …"}
        ${films && !live && html` <span class="chip">Reconnecting</span>`}</p>
      </header>
      <${DropZone} onFind=${onFind} />
      <${SendingList} />
      <${Unfinished} />
      <ul class="films" aria-label="Films">
        ${(films ?? []).map((film) => html`
          <${FilmRow}
            key=${film.video_id}
            film=${film}
            onEdit=${() => setAsked({ what: "edit", film })}
            onWords=${() => setAsked({ what: "words", film })}
            onDelete=${() => setAsked({ what: "delete", film })}
          />
        `)}
      </ul>
      ${films && films.length < total && html`
        <div class="buttons"><button class="button" onClick=${() => loadMore().catch((error) => say(asProblem(error).detail))}>Show more</button></div>
      `}
      ${asked?.what === "edit" && html`<${EditFilm} film=${film} onClose=${close} />`}
      ${asked?.what === "words" && html`<${FilmSubtitles} film=${film} onClose=${close} />`}
      ${asked?.what === "delete" && html`<${DeleteFilm} film=${film} onClose=${close} />`}
    </div>
  `;
}

/**
 * @param {AdminFilm[]} films
 * @param {number} total
 * @returns {string}
 */
function sentence(films, total) {
  if (total === 0) return "No films yet. The first one is added above.";
  const working = films.filter((film) => film.status === "probing" || film.status === "playable").length;
  const failed = films.filter((film) => film.status === "failed").length;
  const parts = [total === 1 ? "1 film" : `${total} films`];
  if (working) parts.push(`${working} in the works`);
  if (failed) parts.push(`${failed} failed`);
  return `${parts.join(", ")}.`;
}
