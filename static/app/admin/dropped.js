import { folders } from "./beside.js";
import { MOST, chosen, inFolder } from "./film-files.js";

/** @typedef {import("./film-files.js").Find} Find */

/**
 * What was dropped, with the films inside of folders (File and Directory Entries API). To be called while the drop is
 * handled: what is dropped can be read only then.
 * @param {DataTransfer} transfer
 * @returns {Promise<Find>}
 */
export async function dropped(transfer) {
  const entries = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  const single = /** @type {File[]} */ ([]);
  const trees = /** @type {FileSystemDirectoryEntry[]} */ ([]);
  for (const entry of entries) {
    if (entry instanceof File) single.push(entry);
    else if (entry?.isDirectory) trees.push(/** @type {FileSystemDirectoryEntry} */ (entry));
    else if (entry) single.push(await fileOf(/** @type {FileSystemFileEntry} */ (entry)));
  }
  const byHand = chosen(single);
  const { files, more } = await walk(trees);
  const found = inFolder(files);
  return {
    films: [...byHand.films, ...found.films],
    beside: new Map([...byHand.beside, ...found.beside]),
    others: [...byHand.others, ...found.others],
    more: more || found.more,
  };
}

/**
 * @param {FileSystemDirectoryEntry[]} trees
 * @returns {Promise<{files: File[], more: boolean}>} at most `MOST` files that are not hidden, in the order of their names
 */
async function walk(trees) {
  const waiting = /** @type {FileSystemEntry[]} */ ([...trees]);
  const files = /** @type {File[]} */ ([]);
  for (let seen = 0; waiting.length > 0; seen += 1) {
    // Folders count too, so that a tree of empty ones comes to an end.
    if (seen >= 2 * MOST || files.length >= MOST) return { files, more: true };
    const entry = /** @type {FileSystemEntry} */ (waiting.shift());
    if (entry.isDirectory) {
      const inside = await entriesOf(/** @type {FileSystemDirectoryEntry} */ (entry));
      waiting.unshift(...inside.filter(({ name }) => !name.startsWith(".")).sort(byName));
    } else {
      const file = await fileOf(/** @type {FileSystemFileEntry} */ (entry));
      folders.set(file, entry.fullPath.split("/").slice(0, -1).join("/"));
      files.push(file);
    }
  }
  return { files, more: false };
}

/** @param {FileSystemEntry} a @param {FileSystemEntry} b */
function byName(a, b) {
  return a.name.localeCompare(b.name, undefined, { numeric: true });
}

/** @param {FileSystemDirectoryEntry} folder @returns {Promise<FileSystemEntry[]>} a little more than `MOST` at most */
async function entriesOf(folder) {
  const reader = folder.createReader();
  const all = /** @type {FileSystemEntry[]} */ ([]);
  while (all.length <= MOST) {
    // Each call gives a part; an empty one is the end.
    const part = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (part.length === 0) break;
    all.push(...part);
  }
  return all;
}

/** @param {FileSystemFileEntry} entry @returns {Promise<File>} */
function fileOf(entry) {
  return new Promise((done, fail) => entry.file(done, fail));
}
