import { html } from "htm/preact";

/** Outlines on a grid of 24 units. @type {Record<string, string>} */
const OUTLINES = {
  info: "M12 11v5.5M12 7.6v.1M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z",
  back: "M20 12H4.5M11 5l-7 7 7 7",
  left: "m15 5-7 7 7 7",
  right: "m9 5 7 7-7 7",
  restart: "M4 5v5h5M4.6 10A8 8 0 1 1 4 13.5",
  upload: "M12 16V4.5M7 9l5-5 5 5M4.5 16v2.5a2 2 0 0 0 2 2h11a2 2 0 0 0 2-2V16",
  close: "m6 6 12 12M18 6 6 18",
  edit: "M4 20h4L19.5 8.5a2.1 2.1 0 0 0-3-3L5 17v3M14.5 7.5l3 3",
  trash: "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 13h9l1-13M10.3 11v5.5M13.7 11v5.5",
  replace: "M4 9h13l-3.5-3.5M20 15H7l3.5 3.5",
  words: "M4 5.5h16v13H4zM7.5 11h4M14 11h2.5M7.5 14.5h2M12 14.5h4.5",
  pause: "M9 6v12M15 6v12",
  film: "M4 5.5h16v13H4zM8 5.5v13M16 5.5v13M4 9.8h4M4 14.2h4M16 9.8h4M16 14.2h4",
  alert: "M12 8.5v5M12 16.8v.1M10.4 4.2 2.9 17.3a1.85 1.85 0 0 0 1.6 2.8h15a1.85 1.85 0 0 0 1.6-2.8L13.6 4.2a1.85 1.85 0 0 0-3.2 0Z",
  screens: "M3 5h13v9H3zM7 18h5M19 9h2v9h-5",
  gear: "M4 7.5h8.5M17.5 7.5H20M4 16.5h2.5M11.5 16.5H20M15 10a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM9 19a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
};

const PLAY = "M7 5.3c0-1 1.05-1.6 1.9-1.1l11 6.7c.8.5.8 1.7 0 2.2l-11 6.7c-.85.5-1.9-.1-1.9-1.1z";

/**
 * A picture beside words; never the only name of anything.
 * @param {{name: string, class?: string, slot?: string}} props
 */
export function Icon({ name, class: extra = "", slot }) {
  if (name === "play") {
    return html`<svg class="icon solid ${extra}" viewBox="0 0 24 24" aria-hidden="true"><path d=${PLAY} /></svg>`;
  }
  return html`<svg class="icon ${extra}" viewBox="0 0 24 24" aria-hidden="true" slot=${slot}><path d=${OUTLINES[name]} /></svg>`;
}

/** The mark of the house: a lamp's light, which is a play button. */
export function Mark() {
  return html`<svg viewBox="0 0 16 18" aria-hidden="true"><path d="M0 2.2C0 .7 1.6-.3 2.9.4l12 6.7c1.4.8 1.4 2.9 0 3.7l-12 6.8C1.6 18.3 0 17.3 0 15.8z" /></svg>`;
}
