import { html } from "htm/preact";
import { useResource } from "../api/resource.js";
import { session } from "../session.js";
import { useStore } from "../store.js";
import { Facts, Hero, HeroTitle } from "../ui/hero.js";
import { Icon } from "../ui/icon.js";
import { Notice, Trouble } from "../ui/notice.js";
import { Row } from "../ui/row.js";

/** @typedef {import("../api/types.js").Home} HomeAnswer */

/** The films: the newest one large, then rows that say why they are there. */
export function Home() {
  const { data, problem, reload } = /** @type {import("../api/resource.js").Resource<HomeAnswer>} */ (useResource("home"));
  if (problem) return html`<${Trouble} problem=${problem} onRetry=${reload} />`;
  if (!data) return html`<${Waiting} />`;
  const rows = data.rows.filter((row) => row.items.length > 0);
  const newest = rows.find((row) => row.id === "new") ?? rows.find((row) => row.id !== "continue") ?? rows[0];
  const film = newest && pictured(newest.items);
  if (!film) return html`<${Empty} />`;
  return html`
    <${Hero} picture=${film.backdrop_url ?? film.thumbnail_url}>
      <p class="eyebrow">${newest.id === "new" ? "New on this server" : newest.title}</p>
      <${HeroTitle} text=${film.title} />
      <${Facts} year=${film.year} seconds=${film.duration_seconds} />
      <div class="buttons">
        <a class="button primary large" href="/watch/${film.video_id}"><${Icon} name="play" />${film.progress ? "Resume" : "Play"}</a>
        <a class="button glass large" href="/title/${film.video_id}"><${Icon} name="info" />About the film</a>
      </div>
    <//>
    <div class="rows">${rows.map((row) => html`<${Row} key=${row.id} row=${row} />`)}</div>
  `;
}

/**
 * @param {import("../api/types.js").FilmCard[]} films newest first
 * @returns {import("../api/types.js").FilmCard | undefined} the newest that fills the width with a picture, or else the newest
 */
function pictured(films) {
  return films.find((film) => film.backdrop_url) ?? films.find((film) => film.thumbnail_url) ?? films[0];
}

function Waiting() {
  const cards = [0, 1, 2, 3, 4].map((n) => html`<li key=${n}><div class="skeleton skeleton-still"></div><div class="skeleton skeleton-line"></div></li>`);
  return html`
    <div role="status">
      <span class="unseen">Loading the films</span>
      <div class="skeleton skeleton-hero"></div>
      <ul class="shelf">${cards}</ul>
    </div>
  `;
}

function Empty() {
  const who = useStore(session);
  const staff = who.state === "in" && who.account.role !== "member";
  if (!staff) return html`<${Notice} icon="film" title="No films yet">The person who runs this server has not put a film on it yet. Come back a little later.<//>`;
  return html`
    <${Notice} icon="film" title="Your screen is ready" actions=${html`<a class="button primary large" href="/admin"><${Icon} name="upload" />Add a film</a>`}>
      There is no film on this server yet. Add one, and it can be played within seconds.
    <//>
  `;
}
