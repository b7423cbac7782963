import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { patch } from "../api/client.js";
import { asProblem } from "../api/problem.js";
import { filmChanged } from "./films.js";

/** @typedef {import("../api/types.js").AdminFilm} AdminFilm */
/** @typedef {"poster" | "backdrop"} Place */

/** @type {{place: Place, name: string}[]} */
const PLACES = [
  { place: "poster", name: "In lists" },
  { place: "backdrop", name: "Across the page" },
];

/**
 * Choose which of the film's own pictures stand for it; a choice is kept at once.
 * @param {{film: AdminFilm}} props as the server tells it now
 */
export function PicturePicker({ film }) {
  const [wanted, setWanted] = useState(/** @type {{place: Place, number: number} | undefined} */ (undefined));
  const [place, setPlace] = useState(/** @type {Place} */ ("poster"));
  const [wrong, setWrong] = useState("");
  const choose = async (/** @type {number | null} */ number) => {
    setWrong("");
    if (number !== null) setWanted({ place, number });
    try {
      filmChanged(await patch(`admin/videos/${film.video_id}`, { [place]: number }));
    } catch (error) {
      setWrong(asProblem(error).detail);
    }
    setWanted(undefined);
  };
  const { pictures, chosen } = film;
  const shown = wanted?.place === place ? wanted.number : film[place];
  if (pictures.length === 0) return html`<div class="field"><span class="label">Picture</span><p class="hint">Pictures to choose from are there once the film has been looked through.</p></div>`;
  return html`
    <fieldset class="field picker">
      <legend class="label">Picture</legend>
      <div class="picker-head">
        ${PLACES.map((one) => html`
          <button type="button" key=${one.place} class="button small" aria-pressed=${one.place === place} onClick=${() => setPlace(one.place)}>${one.name}</button>
        `)}
        ${chosen.includes(place) && html`<button type="button" class="text-button" onClick=${() => choose(null)}>Let the server choose</button>`}
      </div>
      <div class="picker-pictures">
        ${pictures.map((picture) => html`
          <button type="button" key=${picture.number} aria-label="Picture ${picture.number + 1}" aria-pressed=${shown === picture.number} onClick=${() => choose(picture.number)}>
            <img src=${picture.poster_url} alt="" loading="lazy" decoding="async" />
          </button>
        `)}
      </div>
      ${wrong && html`<p class="wrong" role="alert">${wrong}</p>`}
    </fieldset>
  `;
}
