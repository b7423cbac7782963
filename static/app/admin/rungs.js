import { html } from "htm/preact";
import { useResource } from "../api/resource.js";
import { length, lines, quality, sound } from "../format.js";
import { Meter } from "../ui/still.js";

/** @typedef {import("../api/types.js").AdminFilm} AdminFilm */
/** @typedef {import("../api/types.js").FilmMetadata} FilmMetadata */

/** A name with more letters than this needs a wide column. */
const SHORT = 6;

/** A bar for each rendition of a film that is being made. @param {{film: AdminFilm}} props */
export function Rungs({ film }) {
  const sounds = film.renditions.filter((rendition) => !rendition.height).length;
  return sounds > 1 ? html`<${ManySounds} film=${film} />` : html`<${Bars} film=${film} audio=${[]} />`;
}

/** The list of films does not say what its sounds are: the film itself does. @param {{film: AdminFilm}} props */
function ManySounds({ film }) {
  const path = `videos/${encodeURIComponent(film.video_id)}/metadata`;
  const { data } = /** @type {import("../api/resource.js").Resource<FilmMetadata>} */ (useResource(path));
  return html`<${Bars} film=${film} audio=${data?.audio ?? []} />`;
}

/** @param {{film: AdminFilm, audio: import("../api/types.js").AudioFacts[]}} props */
function Bars({ film, audio }) {
  const ordered = [...film.renditions].sort((a, b) => b.height - a.height);
  const called = (/** @type {import("../api/types.js").RenditionProgress} */ { name, width, lines: rows }) => {
    const track = audio.find((candidate) => candidate.name === name);
    return rows ? quality(lines(width, rows)) : track ? sound(track) : "Sound";
  };
  const wordy = ordered.some((rendition) => called(rendition).length > SHORT);
  return html`
    <ul class="rungs ${wordy ? "wordy" : ""}">
      ${ordered.map((rendition) => html`
        <li key=${rendition.name}>
          <span class="rung-name" title=${called(rendition)}>${called(rendition)}</span>
          <${Meter}
            share=${rendition.total ? rendition.ready / rendition.total : 0}
            label=${`${called(rendition)} of ${film.title}`}
            class=${rendition.ready === rendition.total ? "done" : ""}
          />
          ${rendition.damaged.length > 0
            ? html`<span class="wrong" title=${rendition.damaged[0]?.reason}>${rendition.damaged.length} damaged</span>`
            : html`<span class="rung-left">${rendition.seconds_left !== null && length(Math.ceil(rendition.seconds_left))}</span>`}
        </li>
      `)}
    </ul>
  `;
}
