import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";

/**
 * A modal dialog (the platform's own: focus stays inside, Escape closes).
 * @param {{title: string, onClose: () => void, children?: any}} props
 */
export function Dialog({ title, onClose, children }) {
  const ref = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  const onPress = (/** @type {MouseEvent} */ event) => event.target === ref.current && onClose();
  return html`
    <dialog class="dialog" ref=${ref} aria-label=${title} onCancel=${onClose} onMouseDown=${onPress}>
      <div class="dialog-body">
        <h2>${title}</h2>
        ${children}
      </div>
    </dialog>
  `;
}

/**
 * Ask before something that cannot be undone.
 * @param {{title: string, sentence: string, action: string, busy?: boolean, onConfirm: () => void, onClose: () => void}} props
 */
export function Confirm({ title, sentence, action, busy = false, onConfirm, onClose }) {
  return html`
    <${Dialog} title=${title} onClose=${onClose}>
      <p>${sentence}</p>
      <div class="buttons">
        <button class="button" onClick=${onClose}>Keep it</button>
        <button class="button danger" disabled=${busy} onClick=${onConfirm}>${action}</button>
      </div>
    <//>
  `;
}
