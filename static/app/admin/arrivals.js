import { post } from "../api/client.js";
import { asProblem } from "../api/problem.js";

/**
 * Between the last byte of an upload and the film that is made of it the page may be closed. What has arrived is therefore
 * written down first, and announced again at the next visit.
 *
 * @typedef {{uploadId: string, title: string}} Arrival
 */

const KEY = "ott.arrivals";

/** @returns {Arrival[]} */
function written() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]");
  } catch {
    return [];
  }
}

/** @param {Arrival[]} arrivals */
function write(arrivals) {
  localStorage.setItem(KEY, JSON.stringify(arrivals));
}

/**
 * Make a film of an upload that is complete.
 * @param {Arrival} arrival
 * @returns {Promise<{video_id: string}>}
 * @throws {import("../api/problem.js").Problem}
 */
export async function announce(arrival) {
  const others = () => written().filter((other) => other.uploadId !== arrival.uploadId);
  write([...others(), arrival]);
  try {
    const film = await post("admin/videos", { upload_id: arrival.uploadId, title: arrival.title });
    write(others());
    return film;
  } catch (error) {
    const { status } = asProblem(error);
    // A refusal is final; a server that is away or busy is asked again later.
    if (status >= 400 && status < 500 && status !== 401 && status !== 429) write(others());
    throw error;
  }
}

/**
 * Announce what an earlier visit could not.
 * @returns {Promise<import("../api/problem.js").Problem | undefined>} why the last one failed, if one did
 */
export async function finishAnnounced() {
  let problem;
  for (const arrival of written()) {
    try {
      await announce(arrival);
    } catch (error) {
      problem = asProblem(error);
    }
  }
  return problem;
}
