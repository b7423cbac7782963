import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { asProblem } from "../api/problem.js";
import { Trouble } from "./notice.js";

/**
 * A page whose modules are fetched when it is first shown.
 * @param {() => Promise<any>} load gives the component
 */
export function later(load) {
  /** @type {any} */
  let loaded;
  return function Later(/** @type {Record<string, unknown>} */ props) {
    const [state, setState] = useState({ ready: Boolean(loaded), problem: /** @type {any} */ (undefined), turn: 0 });
    useEffect(() => {
      if (loaded) return;
      load().then(
        (component) => {
          loaded = component;
          setState((now) => ({ ...now, ready: true, problem: undefined }));
        },
        (error) => setState((now) => ({ ...now, problem: asProblem(error) })),
      );
    }, [state.turn]);
    // A module that failed to load comes only with a new page, which is asked for once the server is there.
    const onRetry = () => fetch("/healthz").then(() => location.reload(), (error) => setState((now) => ({ ...now, problem: asProblem(error) })));
    if (loaded) return html`<${loaded} ...${props} />`;
    if (state.problem) return html`<${Trouble} problem=${state.problem} onRetry=${onRetry} />`;
    return html`<div class="boot" role="status"><span class="spinner"></span><span class="unseen">Loading</span></div>`;
  };
}
