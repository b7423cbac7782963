import { html } from "htm/preact";
import { length } from "../format.js";
import { Still } from "./still.js";

/**
 * One film in a row.
 * @param {{film: import("../api/types.js").FilmCard}} props
 */
export function Card({ film }) {
  const { progress } = film;
  const left = progress && Math.max(0, progress.duration - progress.position);
  const note = left ? `${length(left)} left` : [film.year, length(film.duration_seconds)].filter(Boolean).join(" · ");
  return html`
    <a class="card" href="/title/${film.video_id}">
      <${Still} title=${film.title} url=${film.thumbnail_url} share=${progress ? progress.position / progress.duration : 0} />
      <span class="card-text">
        <span class="card-title" dir="auto">${film.title}</span>
        <span class="card-note">${note}</span>
      </span>
    </a>
  `;
}
