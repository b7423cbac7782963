import { call } from "../api/client.js";
import { asProblem } from "../api/problem.js";
import { say } from "../ui/toast.js";

/** Endings of subtitles, those that cannot be shown among them: the server says so of each. */
export const SUBTITLES = /\.(srt|ass|ssa|vtt|sub|idx|sup)$/i;

/**
 * @typedef {object} Beside a subtitle file and the film that it is called like
 * @property {File} file
 * @property {string} said what its name says after the film's, such as ".de.forced"
 */

/** Milliseconds until a film is asked again whether it can take its subtitles, and for how long it is. */
const AGAIN = 1000;
const PATIENCE = 60_000;

/** @param {string} name of a file @returns {string} without its ending */
const stemOf = (name) => name.replace(/\.[^.]*$/, "");

/** Folders of files that were dropped: those that were chosen know their own. @type {WeakMap<File, string>} */
export const folders = new WeakMap();

/** @param {File} file @returns {string} */
const folderOf = (file) => folders.get(file) ?? file.webkitRelativePath.split("/").slice(0, -1).join("/");

/**
 * Which subtitles belong to which film, by the rules of imports: they lie in its folder and are called like it; of two such
 * films to that with the longer name.
 * @param {File[]} films
 * @param {File[]} others
 * @returns {{beside: Map<File, Beside[]>, rest: File[]}} `rest`: what belongs to none
 */
export function pair(films, others) {
  const beside = /** @type {Map<File, Beside[]>} */ (new Map());
  const rest = others.filter((file) => {
    const stem = stemOf(file.name);
    const low = stem.toLowerCase();
    const [film] = films
      .filter((candidate) => {
        const own = stemOf(candidate.name).toLowerCase();
        return folderOf(candidate) === folderOf(file) && (low === own || low.startsWith(`${own}.`));
      })
      .sort((a, b) => b.name.length - a.name.length);
    if (!film || !SUBTITLES.test(file.name)) return true;
    beside.set(film, [...(beside.get(film) ?? []), { file, said: stem.slice(stemOf(film.name).length) }]);
    return false;
  });
  return { beside, rest };
}

/**
 * Give a film the subtitles that came with it; what is wrong with one is said.
 * @param {string} videoId
 * @param {Beside[]} beside
 */
export async function addBeside(videoId, beside) {
  for (const { file, said } of beside) {
    try {
      await add(`admin/videos/${videoId}/subtitles?${new URLSearchParams({ said })}`, file, performance.now() + PATIENCE);
    } catch (error) {
      say(`“${file.name}” was left out: ${asProblem(error).detail}`);
    }
  }
}

/** @param {string} path @param {File} file @param {number} until milliseconds of the page's clock */
async function add(path, file, until) {
  for (;;) {
    try {
      return await call("POST", path, { file });
    } catch (error) {
      // A film whose bytes are just being taken over, and a server that is away or busy, can take them soon.
      const { status } = asProblem(error);
      if (![0, 409, 429, 502, 503].includes(status) || performance.now() > until) throw error;
    }
    await new Promise((done) => setTimeout(done, AGAIN));
  }
}
