import { html } from "htm/preact";
import { Icon } from "../ui/icon.js";
import { SettingsMenu } from "./settings-menu.js";
import { ChapterMarks, ChapterName } from "./chapters.js";
import { Time } from "./time.js";

/**
 * The way back and the film's name, above the picture.
 * @param {{title: string, onBack: () => void}} props
 */
export function TopChrome({ title, onBack }) {
  return html`
    <div slot="top-chrome" class="player-top">
      <button class="button round" aria-label="Back" onClick=${onBack}><${Icon} name="back" /></button>
      <h1>${title}</h1>
    </div>
  `;
}

/** The large buttons in the middle that thumbs use. */
export function MiddleChrome() {
  return html`
    <div slot="centered-chrome" class="player-middle">
      <media-seek-backward-button seekoffset="10" notooltip></media-seek-backward-button>
      <media-play-button notooltip></media-play-button>
      <media-seek-forward-button seekoffset="10" notooltip></media-seek-forward-button>
    </div>
  `;
}

/**
 * The time line and the buttons below the picture.
 * @param {{video: HTMLVideoElement | null, player: import("./shaka.js").Player | undefined, tracks: import("./tracks.js").Tracks | undefined,
 *   subtitles: import("./subtitles.js").Subtitles, chapters: import("../api/types.js").Chapter[], seconds: number}} props
 */
export function BottomChrome({ video, player, tracks, subtitles, chapters, seconds }) {
  return html`
    <${SettingsMenu} video=${video} player=${player} tracks=${tracks} subtitles=${subtitles} chapters=${chapters} />
    <div class="player-bottom">
      <div class="player-line">
        <media-time-range>
          <media-preview-thumbnail slot="preview"></media-preview-thumbnail>
          ${chapters.length > 0 && html`<${ChapterName} chapters=${chapters} />`}
          <media-preview-time-display slot="preview"></media-preview-time-display>
        </media-time-range>
        ${chapters.length > 0 && html`<${ChapterMarks} chapters=${chapters} seconds=${seconds} />`}
      </div>
      <div class="player-buttons">
        <media-play-button class="wide"></media-play-button>
        <media-seek-backward-button class="wide" seekoffset="10"></media-seek-backward-button>
        <media-seek-forward-button class="wide" seekoffset="10"></media-seek-forward-button>
        <media-mute-button></media-mute-button>
        <media-volume-range class="wide"></media-volume-range>
        <${Time} video=${video} />
        <span class="player-gap"></span>
        ${subtitles.tracks.length > 0 && html`<media-captions-button></media-captions-button>`}
        <media-settings-menu-button><${Icon} name="gear" slot="icon" /></media-settings-menu-button>
        <media-pip-button></media-pip-button>
        <media-fullscreen-button></media-fullscreen-button>
      </div>
    </div>
  `;
}
