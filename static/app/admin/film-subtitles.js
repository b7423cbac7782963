import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { call, remove } from "../api/client.js";
import { asProblem } from "../api/problem.js";
import { useResource } from "../api/resource.js";
import { words } from "../format.js";
import { Dialog } from "../ui/dialog.js";
import { Field } from "../ui/field.js";
import { Icon } from "../ui/icon.js";
import { saidBy, tagOf } from "./film-words.js";

/** @typedef {import("../api/types.js").SubtitleFacts} SubtitleFacts */

const STATES = { pending: "being read", ready: "", image: "pictures of text: cannot be shown", unknown: "unknown format: cannot be shown", failed: "could not be read" };
/** Milliseconds until the server has taken up what was changed, and until it is asked again for what it is reading. */
const SOON = 700;
const READING = 2000;

/**
 * A film's subtitles: those in its file, and files that are added to it.
 * @param {{film: import("../api/types.js").AdminFilm, onClose: () => void}} props
 */
export function FilmSubtitles({ film, onClose }) {
  const { data, problem, reload } = /** @type {import("../api/resource.js").Resource<import("../api/types.js").FilmMetadata>} */ (useResource(`videos/${film.video_id}/metadata`));
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState("");
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const path = `admin/videos/${film.video_id}/subtitles`;
  useEffect(() => {
    if (!data?.subtitles.some((track) => track.state === "pending")) return;
    const timer = setTimeout(reload, READING);
    return () => clearTimeout(timer);
  }, [data]);
  // What came with the film a moment ago may not be in the list yet.
  useEffect(() => {
    const timer = setTimeout(reload, SOON);
    return () => clearTimeout(timer);
  }, []);
  const act = async (/** @type {() => Promise<unknown>} */ action) => {
    setBusy(true);
    setWrong("");
    try {
      await action();
      form.current?.reset();
      setTimeout(reload, SOON);
    } catch (error) {
      setWrong(asProblem(error).detail);
    }
    setBusy(false);
  };
  const onSubmit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const given = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const file = given.get("file");
    if (!(file instanceof File) || !file.size) return setWrong("Choose a file.");
    const query = new URLSearchParams({ language: tagOf(String(given.get("language") || "und")), forced: String(given.has("forced")), hearing_impaired: String(given.has("sdh")) });
    void act(() => call("POST", `${path}?${query}`, { file }));
  };
  const onFile = (/** @type {Event} */ event) => {
    const input = /** @type {HTMLInputElement} */ (event.currentTarget);
    const fields = input.form?.elements;
    const said = saidBy(input.files?.[0]?.name ?? "");
    if (!fields) return;
    if (said.language) /** @type {HTMLInputElement} */ (fields.namedItem("language")).value = said.language;
    /** @type {HTMLInputElement} */ (fields.namedItem("forced")).checked = said.forced;
    /** @type {HTMLInputElement} */ (fields.namedItem("sdh")).checked = said.sdh;
  };
  return html`
    <${Dialog} title=${`Subtitles of ${film.title}`} onClose=${onClose}>
      ${problem && html`<p class="form-wrong" role="alert">${problem.detail}</p>`}
      <ul class="words-list">
        ${data?.subtitles.map((track) => html`<${Line} key=${track.name || track.language + track.label} track=${track} busy=${busy} onRemove=${() => act(() => remove(`${path}/${track.name}`))} />`)}
        ${data?.subtitles.length === 0 && html`<li class="quiet">This film has none yet.</li>`}
      </ul>
      <form class="form" ref=${form} onSubmit=${onSubmit}>
        <${Field} label="File" name="file" type="file" accept=".srt,.ass,.ssa,.vtt,.sub" onChange=${onFile} />
        <div class="form-row">
          <${Field} label="Language" name="language" placeholder="en" maxlength="35" hint="Such as en, pt-BR or German." />
          <div class="words-flags">
            <label><input type="checkbox" name="forced" /> Forced: only what is foreign in the film</label>
            <label><input type="checkbox" name="sdh" /> Describes sounds too</label>
          </div>
        </div>
        ${wrong && html`<p class="form-wrong" role="alert">${wrong}</p>`}
        <div class="buttons">
          <button type="button" class="button" onClick=${onClose}>Close</button>
          <button class="button primary" disabled=${busy}>Add</button>
        </div>
      </form>
    <//>
  `;
}

/** @param {{track: SubtitleFacts, busy: boolean, onRemove: () => void}} props */
function Line({ track, busy, onRemove }) {
  return html`
    <li>
      <span>${words(track)}</span>
      <span class="quiet">${STATES[track.state] || (track.added ? "added" : "in the film")}</span>
      ${track.added && html`<button class="button round" disabled=${busy} aria-label="Take ${words(track)} away" title="Take away" onClick=${onRemove}><${Icon} name="trash" /></button>`}
    </li>
  `;
}
