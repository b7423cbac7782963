import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { remove } from "../api/client.js";
import { asProblem } from "../api/problem.js";
import { Confirm } from "../ui/dialog.js";
import { say } from "../ui/toast.js";
import { filmRemoved } from "./films.js";

/** @param {{film: import("../api/types.js").AdminFilm, onClose: () => void}} props */
export function DeleteFilm({ film, onClose }) {
  const [busy, setBusy] = useState(false);
  const onConfirm = async () => {
    setBusy(true);
    try {
      await remove(`admin/videos/${film.video_id}`);
      filmRemoved(film.video_id);
      say(`“${film.title}” is deleted.`);
      onClose();
    } catch (error) {
      say(asProblem(error).detail);
      setBusy(false);
    }
  };
  return html`
    <${Confirm}
      title="Delete “${film.title}”?"
      sentence="The library's own copy and everything made from it are removed, which cannot be undone. A file that was imported from a disk stays where it is."
      action="Delete the film"
      busy=${busy}
      onConfirm=${onConfirm}
      onClose=${onClose}
    />
  `;
}
