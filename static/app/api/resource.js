import { useCallback, useEffect, useState } from "preact/hooks";
import { asProblem } from "./problem.js";
import { get } from "./client.js";
import { settled } from "./pending.js";

/** Last answers by path: going back shows the page at once, while it is asked for again. @type {Map<string, any>} */
const answers = new Map();

/** Forget everything, as when somebody else signs in. */
export function forgetAnswers() {
  answers.clear();
}

/**
 * @template T
 * @typedef {{data: T | undefined, problem: import("./problem.js").Problem | undefined, reload: () => void}} Resource
 */

/**
 * What a GET answers: the last known answer first, then the present one.
 * @template T
 * @param {string} path below /api/v1/
 * @returns {Resource<T>}
 */
export function useResource(path) {
  const [turn, setTurn] = useState(0);
  const [state, setState] = useState({ path, data: answers.get(path), problem: undefined });
  useEffect(() => {
    const abort = new AbortController();
    // What was wrong stays on the page while it is asked again.
    setState((last) => ({ path, data: answers.get(path), problem: last.path === path ? last.problem : undefined }));
    settled().then(() => get(path, abort.signal)).then(
      (data) => {
        answers.set(path, data);
        if (!abort.signal.aborted) setState({ path, data, problem: undefined });
      },
      (error) => {
        if (!abort.signal.aborted) setState({ path, data: undefined, problem: /** @type {any} */ (asProblem(error)) });
      },
    );
    return () => abort.abort();
  }, [path, turn]);
  const reload = useCallback(() => setTurn((n) => n + 1), []);
  const current = state.path === path ? state : { data: answers.get(path), problem: undefined };
  return { data: current.data, problem: current.problem, reload };
}
