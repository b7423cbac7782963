import { html } from "htm/preact";
import { Notice } from "../ui/notice.js";

/** An address that leads nowhere. */
export function NotHere() {
  return html`
    <${Notice} icon="film" title="Not here" actions=${html`<a class="button primary" href="/">Go to the films</a>`}>
      There is no page at this address, or it is not for you.
    <//>
  `;
}
