/**
 * Dragging along the time line asks media-chrome for a seek at every pixel. Each would start an encoder on the server, so
 * that only the place where the pointer is let go is passed on.
 * @param {HTMLElement} stage an ancestor of the media-controller
 * @returns {() => void} stops
 */
export function seekOnRelease(stage) {
  /** @type {{target: EventTarget, time: number} | undefined} */
  let wanted;
  let held = false;
  const onDown = (/** @type {PointerEvent} */ event) => {
    held = event.composedPath().some((node) => node instanceof Element && node.localName === "media-time-range");
  };
  const onSeek = (/** @type {Event} */ event) => {
    if (!held || !event.target) return;
    event.stopImmediatePropagation();
    wanted = { target: event.target, time: Reflect.get(event, "detail") };
  };
  const onUp = () => {
    held = false;
    const last = wanted;
    wanted = undefined;
    if (!last) return;
    last.target.dispatchEvent(new CustomEvent("mediaseekrequest", { detail: last.time, bubbles: true, composed: true }));
  };
  stage.addEventListener("pointerdown", onDown, true);
  stage.addEventListener("mediaseekrequest", onSeek, true);
  addEventListener("pointerup", onUp, true);
  addEventListener("pointercancel", onUp, true);
  return () => {
    stage.removeEventListener("pointerdown", onDown, true);
    stage.removeEventListener("mediaseekrequest", onSeek, true);
    removeEventListener("pointerup", onUp, true);
    removeEventListener("pointercancel", onUp, true);
  };
}
