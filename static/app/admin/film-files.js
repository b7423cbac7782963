import { pair } from "./beside.js";

/** Endings of files that hold films: browsers know the media types of a few of them only. */
const FILM = /\.(mp4|m4v|mov|mkv|webm|avi|ts|m2ts|mts|mpg|mpeg|vob|wmv|flv|ogv|3gp|mxf|divx)$/i;

/** Endings of what lies beside films and is none, for where the browser names no type. */
const OTHER =
  /\.(txt|nfo|md|log|srt|ass|ssa|sub|idx|vtt|sup|jpe?g|png|gif|webp|heic|tiff?|bmp|svg|pdf|docx?|xlsx?|pptx?|epub|zip|rar|7z|tar|gz|exe|dmg|db|ini|xml|json|html?|css|js|mp3|m4a|flac|wav|torrent|part)$/i;

/** Files that one visit to a folder takes up at most. */
export const MOST = 2000;

/** Names that a notice tells at most. */
const NAMED = 4;

/**
 * @typedef {object} Find
 * @property {File[]} films
 * @property {Map<File, import("./beside.js").Beside[]>} beside subtitles of these films
 * @property {File[]} others
 * @property {boolean} more not everything was looked at
 */

/** @param {File} file @returns {boolean} whether it looks like a film */
export function isFilm({ name, type }) {
  return FILM.test(name) || (type.startsWith("video/") && !OTHER.test(name));
}

/** @param {File} file @returns {boolean} whether it is plainly something else; the server judges what is in doubt */
export function isNoFilm(file) {
  return !isFilm(file) && (OTHER.test(file.name) || /^(image|text|audio|font)\//.test(file.type));
}

/**
 * Files chosen one by one.
 * @param {File[]} files
 * @returns {Find}
 */
export function chosen(files) {
  return find(files.filter((file) => !isNoFilm(file)), files.filter(isNoFilm), false);
}

/**
 * Files of a folder that was chosen: only what looks like a film, nothing hidden.
 * @param {File[]} files with their paths inside that folder
 * @returns {Find}
 */
export function inFolder(files) {
  const open = files.filter((file) => !/(^|\/)\./.test(file.webkitRelativePath || file.name));
  const seen = open.slice(0, MOST);
  return find(seen.filter(isFilm), seen.filter((file) => !isFilm(file)), open.length > MOST);
}

/** @param {File[]} films @param {File[]} others @param {boolean} more @returns {Find} */
function find(films, others, more) {
  const { beside, rest } = pair(films, others);
  return { films, beside, others: rest, more };
}

/**
 * What is to be said of files that came in.
 * @param {Find} find
 * @returns {string} nothing where all of them were films or belong to them
 */
export function remark({ films, others, more }) {
  const rest = more ? `Only the first ${MOST.toLocaleString("en")} files were looked at.` : "";
  const [first] = others;
  if (films.length === 0 && !first) return rest || "There is no film in this folder.";
  if (!first) return rest;
  const names = others.slice(0, others.length > NAMED ? NAMED - 1 : NAMED).map(({ name }) => `“${name}”`);
  if (names.length < others.length) names.push(`${others.length - names.length} more`);
  const all = [names.slice(0, -1).join(", "), names.at(-1)].filter(Boolean).join(" and ");
  const left = others.length === 1 ? `${all} is no film and was left out.` : `${all} are no films and were left out.`;
  return `${left} ${rest}`.trim();
}
