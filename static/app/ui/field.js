import { html } from "htm/preact";
import { useEffect, useId, useState } from "preact/hooks";

/**
 * A labelled input. Anything beyond the named properties goes to the input itself.
 *
 * What is wrong stands below it until it is mended: `wrong` is what the server said, `rule` what is said instead of the
 * browser's own words where the input does not keep its constraints (HTML, constraint validation).
 * @param {{label: string, hint?: string | undefined, wrong?: string | undefined, rule?: string, area?: boolean, class?: string} & Record<string, any>} props
 */
export function Field({ label, hint, wrong, rule, area = false, class: extra = "", ...rest }) {
  const id = useId();
  const [said, setSaid] = useState("");
  useEffect(() => setSaid(wrong ?? ""), [wrong]);
  const onInvalid = (/** @type {Event} */ event) => {
    const input = /** @type {HTMLInputElement} */ (event.currentTarget);
    event.preventDefault();
    setSaid(rule ?? "");
    if (input.form?.querySelector("input:invalid, textarea:invalid") === input) input.focus();
  };
  const onInput = (/** @type {Event} */ event) => {
    if (/** @type {HTMLInputElement} */ (event.currentTarget).validity.valid) setSaid("");
  };
  const note = said || hint ? `${id}-note` : undefined;
  const shared = {
    ...rest, id, onInput, ...(rule ? { onInvalid } : {}),
    "aria-describedby": note, "aria-invalid": said ? "true" : undefined,
  };
  return html`
    <div class="field ${extra}">
      <label for=${id}>${label}</label>
      ${area ? html`<textarea ...${shared}></textarea>` : html`<input ...${shared} />`}
      ${said ? html`<p class="wrong" id=${note} role="alert">${said}</p>` : hint && html`<p class="hint" id=${note}>${hint}</p>`}
    </div>
  `;
}

/**
 * @param {HTMLFormElement} form
 * @returns {Record<string, string>} its fields by name
 */
export function fieldsOf(form) {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));
}
