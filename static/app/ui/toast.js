import { html } from "htm/preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Store, useStore } from "../store.js";

/** @type {Store<{id: number, text: string}[]>} */
const toasts = new Store(/** @type {{id: number, text: string}[]} */ ([]));
let last = 0;

/**
 * Say something that needs no answer. Read out by screen readers.
 * @param {string} text
 */
export function say(text) {
  last += 1;
  const id = last;
  toasts.set([...toasts.value, { id, text }].slice(-3));
  setTimeout(() => toasts.set(toasts.value.filter((toast) => toast.id !== id)), 4500);
}

/** Where toasts appear. */
export function Toasts() {
  const list = useStore(toasts);
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => {
    // A popover that opens is above everything, an open dialog too.
    if (ref.current?.matches(":popover-open")) ref.current.hidePopover();
    if (list.length > 0) ref.current?.showPopover?.();
  }, [list]);
  return html`<div class="toasts" role="status" popover="manual" ref=${ref}>${list.map((toast) => html`<p class="toast" key=${toast.id}>${toast.text}</p>`)}</div>`;
}
