import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../ui/icon.js";
import { dropped } from "./dropped.js";
import { chosen, inFolder, remark } from "./film-files.js";

/** @typedef {import("./film-files.js").Find} Find */

const ACCEPT = "video/*,.mkv,.ts,.m2ts,.mts,.avi,.wmv,.flv,.vob,.mpg,.mpeg,.ogv,.webm,.mxf,.divx,.srt,.ass,.ssa,.vtt,.sub";

/**
 * Where films come in: by dragging files or folders anywhere onto the page, or by choosing them.
 * @param {{onFind: (find: Find) => void}} props
 */
export function DropZone({ onFind }) {
  const [over, setOver] = useState(false);
  const [said, setSaid] = useState("");
  const take = (/** @type {Find} */ find) => {
    setSaid(remark(find));
    onFind(find);
  };

  useEffect(() => {
    const carriesFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
    const onOver = (/** @type {DragEvent} */ event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const onLeave = (/** @type {DragEvent} */ event) => event.relatedTarget === null && setOver(false);
    const onDrop = (/** @type {DragEvent} */ event) => {
      if (!carriesFiles(event) || !event.dataTransfer) return;
      event.preventDefault();
      setOver(false);
      dropped(event.dataTransfer).then(take, () => setSaid("What was dropped could not be read. Choose it with the buttons instead."));
    };
    addEventListener("dragover", onOver);
    addEventListener("dragleave", onLeave);
    addEventListener("drop", onDrop);
    return () => {
      removeEventListener("dragover", onOver);
      removeEventListener("dragleave", onLeave);
      removeEventListener("drop", onDrop);
    };
  }, [onFind]);

  return html`
    <div class="drop ${over ? "over" : ""}">
      <${Icon} name="upload" />
      <div>
        <h2>${over ? "Let go to add" : "Add films"}</h2>
        <p><span class="by-mouse">Drop video files or folders anywhere on this page, with the subtitles that lie beside them.</span><span class="by-touch">Choose video files, and the subtitles that lie beside them.</span> They can be watched moments after they have arrived.</p>
      </div>
      <div class="buttons">
        <${Chooser} label="Video files" action="Choose files" class="primary" accept=${ACCEPT} onFiles=${(/** @type {File[]} */ files) => take(chosen(files))} />
        <${Chooser} label="A folder with films" action="Choose a folder" class="folder" webkitdirectory onFiles=${(/** @type {File[]} */ files) => take(inFolder(files))} />
      </div>
    </div>
    <p class="drop-said" role="status">${said}</p>
  `;
}

/**
 * A button that opens the browser's chooser. What else is given goes to the input.
 * @param {{label: string, action: string, class: string, onFiles: (files: File[]) => void} & Record<string, any>} props
 */
function Chooser({ label, action, class: extra, onFiles, ...rest }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const onChange = () => {
    if (!input.current) return;
    const files = [...(input.current.files ?? [])];
    input.current.value = "";
    if (files.length > 0) onFiles(files);
  };
  return html`
    <button class="button ${extra}" onClick=${() => input.current?.click()}>${action}</button>
    <input ref=${input} type="file" multiple hidden aria-label=${label} onChange=${onChange} ...${rest} />
  `;
}
