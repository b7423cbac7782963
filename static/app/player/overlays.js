import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { remove } from "../api/client.js";
import { asProblem } from "../api/problem.js";
import { clock } from "../format.js";
import { Icon } from "../ui/icon.js";
import { Notice } from "../ui/notice.js";

/** @param {{title: string, onAgain: () => void, onAbout: () => void}} props */
export function TheEnd({ title, onAgain, onAbout }) {
  return html`
    <section class="player-veil" noautohide aria-label="The end">
      <p class="eyebrow">The end</p>
      <h2>${title}</h2>
      <div class="buttons">
        <button class="button primary" onClick=${onAgain}><${Icon} name="restart" />Watch again</button>
        <button class="button" onClick=${onAbout}>About the film</button>
      </div>
    </section>
  `;
}

/** @param {{sentence: string, onRetry: () => void, onAbout: () => void}} props */
export function Broken({ sentence, onRetry, onAbout }) {
  return html`
    <section class="player-veil" noautohide role="alert">
      <${Icon} name="alert" class="mark" />
      <h2>The film stopped</h2>
      <p>${sentence}</p>
      <div class="buttons">
        <button class="button primary" onClick=${onRetry}>Try again</button>
        <button class="button" onClick=${onAbout}>About the film</button>
      </div>
    </section>
  `;
}

/** Titles by the reason for which a session has ended. @type {Record<string, string>} */
const ENDED = {
  disabled: "No longer here",
  removed: "No longer in the library",
  silent: "Still there?",
};

/** @param {{sentence: string, reason: string, onRetry: () => void, onAbout: () => void}} props */
export function Ended({ sentence, reason, onRetry, onAbout }) {
  return html`
    <${Notice}
      icon="screens"
      title=${ENDED[reason] ?? "The film was stopped"}
      actions=${html`<button class="button primary" onClick=${onRetry}>Watch here</button><button class="button" onClick=${onAbout}>About the film</button>`}
    >
      ${sentence}
    <//>
  `;
}

/**
 * All screens of the plan are in use: any of them can be given up here.
 * @param {{problem: import("../api/problem.js").Problem, onFree: () => void, onAbout: () => void}} props
 */
export function ScreensInUse({ problem, onFree, onAbout }) {
  const [busy, setBusy] = useState("");
  const [wrong, setWrong] = useState("");
  /** @type {import("../api/types.js").ScreenInUse[]} */
  const sessions = problem.body.sessions ?? [];
  const stop = async (/** @type {string} */ id) => {
    setBusy(id);
    setWrong("");
    try {
      await remove(`playback/${id}`);
      onFree();
    } catch (error) {
      setWrong(asProblem(error).detail);
      setBusy("");
    }
  };
  return html`
    <section class="page narrow screens">
      <header>
        <h1>Your screens are in use</h1>
        <p class="lead">${problem.detail}</p>
      </header>
      <ul class="panel">
        ${sessions.map((session) => html`
          <li key=${session.session_id}>
            <${Icon} name="screens" />
            <div><strong>${session.title}</strong><span>${session.device}, at\u00a0${clock(session.position)}</span></div>
            <button class="button small" disabled=${busy !== ""} onClick=${() => stop(session.session_id)}>
              ${busy === session.session_id && html`<span class="spinner"></span>`}Stop it there
            </button>
          </li>
        `)}
      </ul>
      ${wrong && html`<p class="form-wrong" role="alert">${wrong}</p>`}
      <div class="buttons"><button class="button" onClick=${onAbout}>About the film</button></div>
    </section>
  `;
}
