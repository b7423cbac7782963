import { html } from "htm/preact";

/** @type {[string[], string][]} */
const KEYS = [
  [["Space", "K"], "Play or pause"],
  [["←", "→"], "10 seconds back or on"],
  [["0", "9"], "To a tenth of the film"],
  [["↑", "↓"], "Louder or quieter"],
  [["M"], "Sound off or on"],
  [["<", ">"], "Slower or faster"],
  [["C"], "Subtitles"],
  [["[", "]"], "A chapter back or on"],
  [["F"], "Full screen"],
  [["P"], "Picture in picture"],
  [["I"], "What the player is doing"],
  [["?"], "This list"],
];

/** The player's keys. @param {{onClose: () => void}} props */
export function Help({ onClose }) {
  return html`
    <aside class="stats keys" noautohide aria-label="Keys">
      <dl>
        ${KEYS.map(([keys, what]) => html`
          <div key=${what}><dt>${keys.map((key, n) => html`${n > 0 && (key === "9" ? " – " : " ")}<kbd>${key}</kbd>`)}</dt><dd>${what}</dd></div>
        `)}
      </dl>
      <button class="text-button" onClick=${onClose}>Close</button>
    </aside>
  `;
}
