import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { get, remove } from "../api/client.js";
import { asProblem } from "../api/problem.js";
import { signedOut } from "../session.js";
import { Dialog } from "../ui/dialog.js";
import { Field } from "../ui/field.js";
import { useForm } from "../ui/form.js";
import { say } from "../ui/toast.js";

/** Hand a JSON document to the browser as a file. @param {unknown} document_ @param {string} name */
function download(document_, name) {
  const url = URL.createObjectURL(new Blob([JSON.stringify(document_, undefined, 2)], { type: "application/json" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** What is held about the account: to take away, or to have removed. @param {{email: string}} props */
export function OwnData({ email }) {
  const [busy, setBusy] = useState(false);
  const [asked, setAsked] = useState(false);
  const take = async () => {
    setBusy(true);
    try {
      download(await get("me/export"), "account.json");
    } catch (error) {
      say(asProblem(error).detail);
    } finally {
      setBusy(false);
    }
  };
  return html`
    <section class="panel">
      <h2>Your data</h2>
      <p class="quiet">Name, devices, what was watched and where each film stood: one file holds all of it.</p>
      <div class="buttons">
        <button class="button" disabled=${busy} onClick=${take}>Download my data</button>
        <button class="button danger" onClick=${() => setAsked(true)}>Delete my account</button>
      </div>
      ${asked && html`<${DeleteAccount} email=${email} onClose=${() => setAsked(false)} />`}
    </section>
  `;
}

/** @param {{email: string, onClose: () => void}} props */
function DeleteAccount({ email, onClose }) {
  const [typed, setTyped] = useState("");
  const { busy, problem, onSubmit } = useForm(async () => {
    await remove("me");
    signedOut();
    say("Your account is deleted.");
  });
  const same = typed.trim().toLowerCase() === email.toLowerCase();
  return html`
    <${Dialog} title="Delete your account?" onClose=${onClose}>
      <p>Your name, your devices and everything you watched are removed from this server for good, and you are signed out everywhere. Nobody can bring this back.</p>
      <form class="form" onSubmit=${onSubmit}>
        <div onInput=${(/** @type {InputEvent} */ event) => setTyped(/** @type {HTMLInputElement} */ (event.target).value)}>
          <${Field} label="Type ${email} to confirm" name="confirm" autocomplete="off" autocapitalize="none" spellcheck=${false} />
        </div>
        ${problem && html`<p class="form-wrong" role="alert">${problem.detail}</p>`}
        <div class="buttons">
          <button type="button" class="button" onClick=${onClose}>Keep it</button>
          <button class="button danger" disabled=${busy || !same}>Delete my account</button>
        </div>
      </form>
    <//>
  `;
}
