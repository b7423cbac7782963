import { useState } from "preact/hooks";
import { asProblem } from "../api/problem.js";
import { fieldsOf } from "./field.js";

/**
 * What every form does: send once at a time, and keep what was wrong with it.
 * @param {(fields: Record<string, string>) => Promise<unknown>} send
 * @returns {{busy: boolean, problem: import("../api/problem.js").Problem | undefined, onSubmit: (event: SubmitEvent) => void}}
 */
export function useForm(send) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(/** @type {import("../api/problem.js").Problem | undefined} */ (undefined));
  const onSubmit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setProblem(undefined);
    try {
      await send(fieldsOf(/** @type {HTMLFormElement} */ (event.currentTarget)));
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  return { busy, problem, onSubmit };
}

/**
 * The sentence above a form's button, where no single field is to blame.
 * @param {import("../api/problem.js").Problem | undefined} problem
 * @param {string[]} fields that show their own sentence
 * @returns {string | undefined}
 */
export function generalSentence(problem, fields) {
  if (!problem || fields.some((name) => problem.field(name))) return undefined;
  return problem.detail;
}
