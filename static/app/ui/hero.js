import { html } from "htm/preact";
import { length, lines, quality } from "../format.js";

/**
 * A film across the whole width; what stands on it is the caller's.
 * @param {{picture: string | null, class?: string, children?: any}} props
 */
export function Hero({ picture, class: extra = "", children }) {
  return html`
    <section class="hero ${picture ? "" : "unpictured"} ${extra}">
      <div class="hero-picture">${picture && html`<img src=${picture} alt="" fetchpriority="high" decoding="async" />`}</div>
      <div class="hero-text">${children}</div>
    </section>
  `;
}

/** Letters from which a title is set smaller, so that what can be done with the film stays in sight. */
const LONG = 40;
const VERY_LONG = 100;

/**
 * What a film is called, in large letters.
 * @param {{text: string}} props
 */
export function HeroTitle({ text }) {
  return html`<h1 dir="auto" class=${text.length > VERY_LONG ? "very long" : text.length > LONG ? "long" : ""}>${text}</h1>`;
}

/**
 * Year, length and best quality in one line.
 * @param {{year: number | null, seconds: number | null, renditions?: import("../api/types.js").RenditionFacts[], maturity?: string | null}} props
 */
export function Facts({ year, seconds, renditions = [], maturity = null }) {
  const best = Math.max(0, ...renditions.filter(({ height }) => height).map(({ width, height }) => lines(width, height)));
  return html`
    <p class="facts">
      ${year && html`<span>${year}</span>`}
      ${seconds && html`<span>${length(seconds)}</span>`}
      ${best > 0 && html`<span class="chip">${quality(best)}</span>`}
      ${maturity && html`<span class="chip">${maturity}</span>`}
    </p>
  `;
}
