import { useEffect, useState } from "preact/hooks";
import { get } from "../api/client.js";
import { settled } from "../api/pending.js";
import { asProblem } from "../api/problem.js";
import { decodable } from "./original.js";

/** @typedef {import("../api/types.js").PlayGrant} Grant */
/** @typedef {{grant?: Grant, problem?: import("../api/problem.js").Problem}} Answer */

/**
 * Ask for the permission to play, anew at every turn. Whoever has one screen needs the same one again, so that a film
 * just left is let go first.
 * @param {string} videoId
 * @param {number} turn
 * @returns {Answer} empty while the answer is awaited
 */
export function useGrant(videoId, turn) {
  const [answer, setAnswer] = useState(/** @type {Answer & {turn: number}} */ ({ turn: -1 }));
  useEffect(() => {
    const abort = new AbortController();
    settled().then(() => get(`play/${encodeURIComponent(videoId)}?can=${encodeURIComponent(decodable())}`, abort.signal)).then(
      (grant) => !abort.signal.aborted && setAnswer({ turn, grant }),
      (error) => !abort.signal.aborted && setAnswer({ turn, problem: asProblem(error) }),
    );
    return () => abort.abort();
  }, [videoId, turn]);
  // A server that could not be reached stays on the page while it is asked again.
  return answer.turn === turn || answer.problem?.status === 0 ? answer : {};
}
