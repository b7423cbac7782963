import { html } from "htm/preact";
import { size, timeLeft } from "../format.js";
import { useStore } from "../store.js";
import { Icon } from "../ui/icon.js";
import { Meter } from "../ui/still.js";
import { sendings } from "./sendings.js";
import { dropSending, goOnSending, pauseSending } from "./uploads.js";

/** @typedef {import("./sendings.js").Sending} Sending */

/** @param {Sending} sending @returns {string} what is to be said below its bar */
function sentence({ state, sent, size: all, speed, wrong }) {
  if (state === "failed") return wrong;
  if (state === "waiting") return `Waiting for its turn · ${size(all)}`;
  if (state === "arrived") return "All here. Handing it over …";
  const share = `${size(sent)} of ${size(all)}`;
  if (state === "paused") return `Paused · ${share}`;
  if (wrong) return `${wrong} Trying again …`;
  if (!speed) return share;
  return `${share} · ${size(speed)}/s · ${timeLeft((all - sent) / speed)}`;
}

/** Files on their way, with real bytes, speed and time. */
export function SendingList() {
  const list = useStore(sendings);
  if (list.length === 0) return null;
  return html`
    <section class="sendings" aria-label="Uploads">
      <ul>${list.map((sending) => html`<${Row} key=${sending.id} sending=${sending} />`)}</ul>
    </section>
  `;
}

/** @param {{sending: Sending}} props */
function Row({ sending }) {
  const { id, name, state, sent, size: all, hopeless } = sending;
  const held = state === "paused" || (state === "failed" && !hopeless);
  return html`
    <li class="sending ${state}">
      <div class="sending-text">
        <strong>${name}</strong>
        <span>${all ? Math.floor((sent / all) * 100) : 0} %</span>
      </div>
      <${Meter} share=${all ? sent / all : 0} label=${`Upload of ${name}`} />
      <p class=${state === "failed" || (state === "sending" && sending.wrong) ? "wrong" : ""} role=${state === "failed" ? "alert" : undefined}>${sentence(sending)}</p>
      <div class="row-buttons">
        ${held
          ? html`<button class="button round" aria-label="Go on with ${name}" title="Go on" onClick=${() => goOnSending(id)}><${Icon} name="play" /></button>`
          : state === "sending" && html`<button class="button round" aria-label="Pause ${name}" title="Pause" onClick=${() => pauseSending(id)}><${Icon} name="pause" /></button>`}
        ${state !== "arrived" && html`<button class="button round" aria-label="Cancel ${name}" title="Cancel" onClick=${() => dropSending(id)}><${Icon} name="close" /></button>`}
      </div>
    </li>
  `;
}
