import { Store } from "../store.js";

/**
 * @typedef {object} Sending one file on its way
 * @property {number} id
 * @property {string} name of the file
 * @property {number} size bytes
 * @property {number} sent bytes
 * @property {number} speed bytes a second
 * @property {"waiting" | "sending" | "paused" | "arrived" | "failed"} state
 * @property {string} wrong sentence
 * @property {boolean} [hopeless] failed for what another try does not change: a file that is too large
 */

/** Files on their way: apart from what sends them, so that every page can say how far they are. @type {Store<Sending[]>} */
export const sendings = new Store(/** @type {Sending[]} */ ([]));

/**
 * @param {Sending[]} list
 * @returns {string} how far all that moves is, such as "Uploading 42 %"; nothing where nothing is on its way
 */
export function progressOf(list) {
  const moving = list.filter(({ state }) => state === "sending" || state === "waiting");
  if (moving.length === 0) return list.some(({ state }) => state === "failed") ? "An upload stopped" : "";
  const all = moving.reduce((sum, { size }) => sum + size, 0);
  const sent = moving.reduce((sum, sending) => sum + sending.sent, 0);
  return `Uploading ${all ? Math.floor((sent / all) * 100) : 0} %`;
}
