import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { Icon } from "./icon.js";
import { waitBefore } from "./patience.js";

/**
 * A whole page that says one thing in a sentence.
 * @param {{icon?: string, title: string, children?: any, actions?: any}} props
 */
export function Notice({ icon = "alert", title, children, actions }) {
  return html`
    <section class="notice" role=${icon === "alert" ? "alert" : undefined}>
      <${Icon} name=${icon} class="mark" />
      <h1>${title}</h1>
      <p>${children}</p>
      ${actions && html`<div class="buttons">${actions}</div>`}
    </section>
  `;
}

/**
 * Something that could not be had, and the way to ask again. Where the server is away it is asked again by itself: give
 * the present problem after each attempt.
 * @param {{problem: import("../api/problem.js").Problem, onRetry: () => void}} props
 */
export function Trouble({ problem, onRetry }) {
  const away = problem.status === 0 || problem.status === 503;
  useEffect(() => {
    if (!away) return;
    const timer = setTimeout(onRetry, waitBefore());
    addEventListener("online", onRetry);
    return () => {
      clearTimeout(timer);
      removeEventListener("online", onRetry);
    };
  }, [problem]);
  if (problem.status === 404) {
    return html`
      <${Notice} icon="film" title="Not here" actions=${html`<a class="button primary" href="/">Go to the films</a>`}>
        ${problem.detail}
      <//>
    `;
  }
  return html`
    <${Notice}
      title=${away ? "One moment" : "That did not work"}
      actions=${html`<button class="button primary" onClick=${onRetry}>Try again</button>`}
    >
      ${problem.detail} ${away && "This page goes on by itself as soon as it can."}
    <//>
  `;
}
