import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../ui/icon.js";

/**
 * Where films come in: by dragging them anywhere onto the page, or with the file chooser.
 * @param {{onFiles: (files: File[]) => void}} props
 */
export function DropZone({ onFiles }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [over, setOver] = useState(false);

  useEffect(() => {
    const carriesFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
    const onOver = (/** @type {DragEvent} */ event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const onLeave = (/** @type {DragEvent} */ event) => event.relatedTarget === null && setOver(false);
    const onDrop = (/** @type {DragEvent} */ event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      setOver(false);
      onFiles([...(event.dataTransfer?.files ?? [])]);
    };
    addEventListener("dragover", onOver);
    addEventListener("dragleave", onLeave);
    addEventListener("drop", onDrop);
    return () => {
      removeEventListener("dragover", onOver);
      removeEventListener("dragleave", onLeave);
      removeEventListener("drop", onDrop);
    };
  }, [onFiles]);

  const onChange = () => {
    if (!input.current) return;
    onFiles([...(input.current.files ?? [])]);
    input.current.value = "";
  };
  return html`
    <div class="drop ${over ? "over" : ""}">
      <${Icon} name="upload" />
      <div>
        <h2>${over ? "Let go to add" : "Add films"}</h2>
        <p>Drop video files anywhere on this page. They can be watched moments after they have arrived.</p>
      </div>
      <button class="button primary" onClick=${() => input.current?.click()}>Choose files</button>
      <input ref=${input} type="file" multiple accept="video/*,.mkv,.ts,.m2ts,.mts,.avi,.wmv,.flv,.vob,.mpg,.mpeg,.ogv,.webm" hidden aria-label="Video files" onChange=${onChange} />
    </div>
  `;
}
