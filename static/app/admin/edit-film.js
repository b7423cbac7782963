import { html } from "htm/preact";
import { patch } from "../api/client.js";
import { useResource } from "../api/resource.js";
import { Dialog } from "../ui/dialog.js";
import { Field } from "../ui/field.js";
import { generalSentence, useForm } from "../ui/form.js";
import { say } from "../ui/toast.js";
import { filmChanged } from "./films.js";
import { PicturePicker } from "./picture-picker.js";

/** @typedef {import("../api/types.js").AdminFilm} AdminFilm */
/** @typedef {import("../api/types.js").FilmMetadata} FilmMetadata */

/**
 * Title, year, genres, description and pictures of a film.
 * @param {{film: AdminFilm, onClose: () => void}} props
 */
export function EditFilm({ film, onClose }) {
  const path = `admin/videos/${film.video_id}`;
  const { data, problem: missing } = /** @type {import("../api/resource.js").Resource<AdminFilm & FilmMetadata>} */ (useResource(path));
  const { busy, problem, onSubmit } = useForm(async ({ title, description, year, genres }) => {
    const changed = await patch(path, {
      title,
      description,
      year: year ? Number(year) : null,
      genres: (genres ?? "").split(",").map((genre) => genre.trim()).filter(Boolean),
    });
    if (changed?.video_id) filmChanged({ ...film, ...changed });
    say("Saved.");
    onClose();
  });
  const wrong = generalSentence(problem, ["title", "description", "year", "genres"]) ?? missing?.detail;
  return html`
    <${Dialog} title=${`Edit ${film.title}`} onClose=${onClose}>
      ${data && html`
        <form class="form" onSubmit=${onSubmit}>
          <${Field} label="Title" name="title" dir="auto" required pattern=".*\\S.*" maxlength="300" rule="Give the film a title." defaultValue=${data.title} wrong=${problem?.field("title")} />
          <div class="form-row">
            <${Field} label="Year" name="year" type="number" min="1870" max="2200" step="1" rule="Give a year from 1870 to 2200, or none." defaultValue=${data.year ?? ""} wrong=${problem?.field("year")} />
            <${Field} label="Genres" name="genres" hint="Separated by commas." defaultValue=${(data.genres ?? []).join(", ")} wrong=${problem?.field("genres")} />
          </div>
          <${Field} area label="Description" name="description" dir="auto" maxlength="10000" defaultValue=${data.description ?? ""} wrong=${problem?.field("description")} />
          <${PicturePicker} film=${film} />
          ${wrong && html`<p class="form-wrong" role="alert">${wrong}</p>`}
          <div class="buttons">
            <button type="button" class="button" onClick=${onClose}>Cancel</button>
            <button class="button primary" disabled=${busy}>Save</button>
          </div>
        </form>
      `}
      ${!data && (missing ? html`<p class="form-wrong" role="alert">${missing.detail}</p>` : html`<p role="status"><span class="spinner"></span></p>`)}
    <//>
  `;
}
