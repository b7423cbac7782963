import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { remove } from "../api/client.js";
import { asProblem } from "../api/problem.js";
import { moment } from "../format.js";
import { leave } from "../session.js";
import { Icon } from "../ui/icon.js";
import { say } from "../ui/toast.js";
import { deviceName } from "./device-name.js";

/** @typedef {import("../api/types.js").Device} Device */

/**
 * Where the account is signed in, and the way out of each.
 * @param {{devices: Device[], onChanged: () => void}} props
 */
export function Devices({ devices, onChanged }) {
  const [leaving, setLeaving] = useState(false);
  const signOut = () => {
    setLeaving(true);
    leave().catch(() => say("Signed out here. The server could not be told."));
  };
  const here = deviceName(devices.find(({ current }) => current)?.device ?? navigator.userAgent);
  return html`
    <section class="panel">
      <h2>Signed-in devices</h2>
      <ul class="devices">
        ${devices.filter(({ current }) => !current).map((device) => html`<${Other} key=${device.session_id} device=${device} onChanged=${onChanged} />`)}
        <li>
          <${Icon} name="screens" />
          <div><strong>${here}</strong><span>This is where you are now</span></div>
          <button class="button small" disabled=${leaving} onClick=${signOut}>Sign out</button>
        </li>
      </ul>
    </section>
  `;
}

/** @param {{device: Device, onChanged: () => void}} props */
function Other({ device, onChanged }) {
  const [busy, setBusy] = useState(false);
  const name = deviceName(device.device);
  const end = async () => {
    setBusy(true);
    try {
      await remove(`me/sessions/${device.session_id}`);
      say(`${name} is signed out.`);
      onChanged();
    } catch (error) {
      say(asProblem(error).detail);
      setBusy(false);
    }
  };
  return html`
    <li>
      <${Icon} name="screens" />
      <div><strong>${name}</strong><span>Last used ${moment(device.last_used_at)}</span></div>
      <button class="button small" disabled=${busy} aria-label="Sign out ${name}" onClick=${end}>Sign out</button>
    </li>
  `;
}
