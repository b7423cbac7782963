/** Endings of files that hold films: browsers know the media types of a few of them only. */
const FILM = /\.(mp4|m4v|mov|mkv|webm|avi|ts|m2ts|mts|mpg|mpeg|vob|wmv|flv|ogv|3gp|mxf|divx)$/i;

/** Endings of what lies beside films and is none, for where the browser names no type. */
const OTHER =
  /\.(txt|nfo|md|log|srt|ass|ssa|sub|idx|vtt|sup|jpe?g|png|gif|webp|heic|tiff?|bmp|svg|pdf|docx?|xlsx?|pptx?|epub|zip|rar|7z|tar|gz|exe|dmg|db|ini|xml|json|html?|css|js|mp3|m4a|flac|wav|torrent|part)$/i;

/** Files that one visit to a folder takes up at most. */
export const MOST = 2000;

/** @typedef {{films: File[], others: File[], more: boolean}} Find `more`: not everything was looked at */

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
  return { films: files.filter((file) => !isNoFilm(file)), others: files.filter(isNoFilm), more: false };
}

/**
 * Files of a folder that was chosen: only what looks like a film, nothing hidden.
 * @param {File[]} files with their paths inside that folder
 * @returns {Find}
 */
export function inFolder(files) {
  const open = files.filter((file) => !/(^|\/)\./.test(file.webkitRelativePath || file.name));
  const seen = open.slice(0, MOST);
  return { films: seen.filter(isFilm), others: seen.filter((file) => !isFilm(file)), more: open.length > MOST };
}

/**
 * What is to be said of files that came in.
 * @param {Find} find
 * @returns {string} nothing where all of them were films
 */
export function remark({ films, others, more }) {
  const rest = more ? `Only the first ${MOST.toLocaleString("en")} files were looked at.` : "";
  const [first] = others;
  if (films.length === 0 && !first) return rest || "There is no film in this folder.";
  if (!first) return rest;
  const left = others.length === 1 ? `“${first.name}” is no film and was left out.` : `${others.length} files are no films and were left out.`;
  return `${left} ${rest}`.trim();
}
