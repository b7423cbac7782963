import { get } from "../api/client.js";
import { asProblem } from "../api/problem.js";
import { refreshSession } from "../api/refresh.js";
import { Store } from "../store.js";

/** @typedef {import("../api/types.js").AdminFilm} AdminFilm */
/** @typedef {{films: AdminFilm[] | undefined, total: number, problem: import("../api/problem.js").Problem | undefined, live: boolean}} Library */

const LIMIT = 100;
const EMPTY = /** @type {Library} */ ({ films: undefined, total: 0, problem: undefined, live: false });

/** The library as the server tells it, live. */
export const library = new Store(EMPTY);

/** @param {Partial<Library>} change */
function update(change) {
  library.set({ ...library.value, ...change });
}

/** Ask for all films anew. */
export async function loadFilms() {
  try {
    /** @type {import("../api/types.js").Page<AdminFilm>} */
    const page = await get(`admin/videos?page=1&limit=${LIMIT}`);
    update({ films: page.results, total: page.total, problem: undefined });
  } catch (error) {
    update({ problem: asProblem(error) });
  }
}

/** Ask for the films that come after those that are known. */
export async function loadMore() {
  const known = library.value.films ?? [];
  /** @type {import("../api/types.js").Page<AdminFilm>} */
  const page = await get(`admin/videos?page=${Math.floor(known.length / LIMIT) + 1}&limit=${LIMIT}`);
  const ids = new Set(known.map((film) => film.video_id));
  update({ films: [...known, ...page.results.filter((film) => !ids.has(film.video_id))], total: page.total });
}

/** @param {AdminFilm} film as it is now */
export function filmChanged(film) {
  const { films, total } = library.value;
  if (!films) return;
  const known = films.some((other) => other.video_id === film.video_id);
  if (known) update({ films: films.map((other) => (other.video_id === film.video_id ? { ...other, ...film } : other)) });
  else update({ films: [film, ...films], total: total + 1 });
}

/** @param {string} videoId of a film that is gone */
export function filmRemoved(videoId) {
  const { films, total } = library.value;
  if (!films?.some((film) => film.video_id === videoId)) return;
  update({ films: films.filter((film) => film.video_id !== videoId), total: total - 1 });
}

/**
 * Follow the server's events (WHATWG HTML, server-sent events) until told to stop.
 * @returns {() => void}
 */
export function followLibrary() {
  let wait = 1000;
  let stopped = false;
  /** @type {EventSource | undefined} */
  let source;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let retry;

  const open = () => {
    source = new EventSource("/api/v1/admin/events");
    source.addEventListener("hello", () => {
      wait = 1000;
      update({ live: true });
      // What happened before the stream began is in the list.
      void loadFilms();
    });
    source.addEventListener("video", (event) => filmChanged(JSON.parse(event.data)));
    source.addEventListener("removed", (event) => filmRemoved(JSON.parse(event.data).video_id));
    source.addEventListener("error", () => {
      update({ live: false });
      if (source?.readyState === EventSource.CLOSED) again();
    });
  };
  const again = () => {
    // A stream that was refused stays closed: most often because the session had to be renewed.
    retry = setTimeout(async () => {
      await refreshSession(Date.now() - wait).catch(() => false);
      if (!stopped) open();
    }, wait);
    wait = Math.min(wait * 2, 30_000);
  };
  open();
  return () => {
    stopped = true;
    clearTimeout(retry);
    source?.close();
    library.set(EMPTY);
  };
}
