import { html } from "htm/preact";
import { useState } from "preact/hooks";

/**
 * A picture of a film, or its title where there is none yet.
 * @param {{title: string, url: string | null, share?: number}} props `share` is the part already watched, 0 to 1
 */
export function Still({ title, url, share = 0 }) {
  const [broken, setBroken] = useState(/** @type {string | null} */ (null));
  const pictured = url && url !== broken;
  return html`
    <span class="still">
      ${pictured
        ? html`<img src=${url} alt="" loading="lazy" decoding="async" onError=${() => setBroken(url)} />`
        : html`<span class="unpictured" aria-hidden="true">${title}</span>`}
      ${share > 0 && html`<${Meter} share=${share} label="Watched" />`}
    </span>
  `;
}

/**
 * @param {{share: number, label: string, class?: string}} props `share` from 0 to 1
 */
export function Meter({ share, label, class: extra = "" }) {
  const percent = Math.round(Math.min(1, Math.max(0, share)) * 100);
  return html`
    <span class="meter ${extra}" role="progressbar" aria-label=${label} aria-valuenow=${percent} aria-valuemin="0" aria-valuemax="100">
      <span style=${{ width: `${percent}%` }}></span>
    </span>
  `;
}
