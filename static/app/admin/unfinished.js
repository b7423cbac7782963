import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { WEB_HEADERS } from "../api/client.js";
import { size } from "../format.js";
import { useStore } from "../store.js";
import { sendings } from "./sendings.js";
import { kept, tus } from "./tus.js";

/** @typedef {import("tus-js-client").PreviousUpload} PreviousUpload */

/**
 * Uploads that an earlier visit left behind. A page may not open a file by itself: choosing it again goes on where it
 * stopped.
 */
export function Unfinished() {
  const [uploads, setUploads] = useState(/** @type {PreviousUpload[]} */ ([]));
  const moving = useStore(sendings);
  useEffect(() => {
    void kept.findAllUploads().then(setUploads);
  }, [moving.length]);
  const forget = async (/** @type {PreviousUpload} */ upload) => {
    await kept.removeUpload(upload.urlStorageKey);
    setUploads(uploads.filter((other) => other !== upload));
    if (upload.uploadUrl) await tus.Upload.terminate(upload.uploadUrl, { headers: WEB_HEADERS }).catch(() => undefined);
  };
  const left = uploads.filter((upload) => !moving.some((sending) => sending.name === upload.metadata["filename"]));
  if (left.length === 0) return null;
  return html`
    <ul class="unfinished" aria-label="Unfinished uploads">
      ${left.map((upload) => html`
        <li key=${upload.urlStorageKey}>
          <span>“${upload.metadata["filename"]}” (${size(upload.size ?? 0)}) has not arrived whole. Choose the file again to go on where it stopped.</span>
          <button class="text-button" onClick=${() => forget(upload)}>Forget it</button>
        </li>
      `)}
    </ul>
  `;
}
