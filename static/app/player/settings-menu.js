import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { chapterAt, chapterName } from "./chapters.js";
import { SPEEDS, useSpeed } from "./speed.js";
import { chooseQuality, chooseSound } from "./tracks.js";

/** @typedef {import("./tracks.js").Choice} Choice */

/**
 * Quality, sound, subtitles, chapters and speed behind one button.
 * @param {{video: HTMLVideoElement | null, player: import("./shaka.js").Player | undefined, tracks: import("./tracks.js").Tracks | undefined,
 *   subtitles: import("./subtitles.js").Subtitles, chapters: import("../api/types.js").Chapter[]}} props
 */
export function SettingsMenu({ video, player, tracks, subtitles, chapters }) {
  const menu = useRef(/** @type {HTMLElement | null} */ (null));
  const speed = useSpeed(video);
  useReturn(menu);
  return html`
    <media-settings-menu hidden anchor="auto" class="player-menu" ref=${menu}>
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
      ${video && html`
        <${Submenu} key="speed" name="Speed" choices=${SPEEDS.map((one) => ({ value: String(one), label: `${one}×` }))} value=${String(speed)}
          onChoose=${(/** @type {string} */ value) => {
            video.playbackRate = Number(value);
          }} />
      `}
    </media-settings-menu>
  `;
}

/**
 * Close the menu after a choice, and give the focus back to the player whenever it closes: the keys are the player's again,
 * where the button in it would take the space bar for itself.
 * @param {{current: HTMLElement | null}} ref
 */
function useReturn(ref) {
  useEffect(() => {
    const menu = ref.current;
    const controller = /** @type {HTMLElement | null} */ (menu?.closest("media-controller") ?? null);
    if (!menu || !controller) return;
    const back = () => {
      const at = document.activeElement;
      const away = at && at !== document.body && !menu.contains(at) && !at.matches("media-settings-menu-button");
      if (menu.hidden && !away) controller.focus({ preventScroll: true });
    };
    const close = () => {
      for (const one of menu.querySelectorAll("media-chrome-menu")) /** @type {HTMLElement} */ (one).hidden = true;
      menu.hidden = true;
      // At once: a key that is pressed now comes before any timer.
      back();
    };
    const onChosen = (/** @type {MouseEvent | KeyboardEvent} */ event) => {
      if (event instanceof KeyboardEvent && event.key !== "Enter" && event.key !== " ") return;
      if (!event.composedPath().some((node) => node instanceof HTMLElement && node.matches("[role=menuitemradio]"))) return;
      // When the choice was taken.
      setTimeout(close);
    };
    // Wherever the focus is: a menu opened with the mouse does not have it.
    const onKey = (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape" || menu.hidden) return;
      event.stopPropagation();
      close();
    };
    const watcher = new MutationObserver(() => setTimeout(back));
    watcher.observe(menu, { attributeFilter: ["hidden"] });
    menu.addEventListener("click", onChosen, true);
    menu.addEventListener("keydown", onChosen, true);
    addEventListener("keydown", onKey, true);
    return () => {
      watcher.disconnect();
      menu.removeEventListener("click", onChosen, true);
      menu.removeEventListener("keydown", onChosen, true);
      removeEventListener("keydown", onKey, true);
    };
  }, []);
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
