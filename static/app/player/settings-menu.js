import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { chapterAt, chapterName } from "./chapters.js";
import { chooseQuality, chooseSound } from "./tracks.js";

/** @typedef {import("./tracks.js").Choice} Choice */

/**
 * Quality, sound, subtitles, chapters and speed behind one button.
 * @param {{video: HTMLVideoElement | null, player: import("./shaka.js").Player | undefined, tracks: import("./tracks.js").Tracks | undefined,
 *   subtitles: import("./subtitles.js").Subtitles, chapters: import("../api/types.js").Chapter[]}} props
 */
export function SettingsMenu({ video, player, tracks, subtitles, chapters }) {
  return html`
    <media-settings-menu hidden anchor="auto" class="player-menu">
      ${player && tracks && html`
        <${Submenu} key="quality" name="Quality" choices=${tracks.qualities} value=${tracks.quality} onChoose=${(/** @type {string} */ value) => chooseQuality(player, value)} />
        ${tracks.sounds.length > 1 && html`
          <${Submenu} key="sound" name="Sound" choices=${tracks.sounds} value=${tracks.sound} onChoose=${(/** @type {string} */ value) => chooseSound(player, value)} />
        `}
      `}
      ${subtitles.tracks.length > 0 && html`
        <${Submenu} key="subtitles" name="Subtitles" choices=${subtitles.choices} value=${subtitles.chosen} onChoose=${subtitles.choose} />
      `}
      ${video && chapters.length > 1 && html`
        <${Submenu} key="chapters" name="Chapters" choices=${chapters.map((chapter, n) => ({ value: String(n), label: chapterName(chapter, n) }))}
          value=${String(chapterAt(chapters, video.currentTime))} onChoose=${(/** @type {string} */ value) => {
            video.currentTime = chapters[Number(value)]?.start_seconds ?? video.currentTime;
          }} />
      `}
      <media-settings-menu-item key="speed">
        Speed
        <media-playback-rate-menu slot="submenu" hidden rates="0.5 0.75 1 1.25 1.5 2"><div slot="title">Speed</div></media-playback-rate-menu>
      </media-settings-menu-item>
    </media-settings-menu>
  `;
}

/** @param {{name: string, choices: Choice[], value: string, onChoose: (value: string) => void}} props */
function Submenu({ name, choices, value, onChoose }) {
  const menu = useRef(/** @type {(HTMLElement & {value: string}) | null} */ (null));
  useEffect(() => {
    if (menu.current && menu.current.value !== value) menu.current.value = value;
  });
  const onChange = () => menu.current && onChoose(menu.current.value);
  return html`
    <media-settings-menu-item data-menu=${name.toLowerCase()}>
      ${name}
      <media-chrome-menu slot="submenu" hidden ref=${menu} onChange=${onChange}>
        <div slot="title">${name}</div>
        ${choices.map((choice) => html`
          <media-chrome-menu-item key=${choice.value} type="radio" value=${choice.value} aria-checked=${choice.value === value ? "true" : "false"} data-value=${choice.value}>
            ${choice.label}
          </media-chrome-menu-item>
        `)}
      </media-chrome-menu>
      <span slot="description">${choices.find((choice) => choice.value === value)?.label}</span>
    </media-settings-menu-item>
  `;
}
