import { html } from "htm/preact";
import { useId } from "preact/hooks";

/**
 * A labelled input. Anything beyond the named properties goes to the input itself.
 * @param {{label: string, hint?: string | undefined, wrong?: string | undefined, area?: boolean, class?: string} & Record<string, any>} props
 */
export function Field({ label, hint, wrong, area = false, class: extra = "", ...rest }) {
  const id = useId();
  const note = wrong || hint ? `${id}-note` : undefined;
  const shared = { ...rest, id, "aria-describedby": note, "aria-invalid": wrong ? "true" : undefined };
  return html`
    <div class="field ${extra}">
      <label for=${id}>${label}</label>
      ${area ? html`<textarea ...${shared}></textarea>` : html`<input ...${shared} />`}
      ${wrong ? html`<p class="wrong" id=${note}>${wrong}</p>` : hint && html`<p class="hint" id=${note}>${hint}</p>`}
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
