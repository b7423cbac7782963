import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";

/** @typedef {import("./shaka.js").Player} Player */

/** @param {number | undefined} bits a second */
function rate(bits) {
  return bits ? `${(bits / 1e6).toFixed(bits < 1e7 ? 2 : 1)} Mbit/s` : "–";
}

/**
 * @param {HTMLVideoElement} video
 * @param {Player} player
 * @returns {[string, string][]} names and values
 */
function measure(video, player) {
  const stats = player.getStats();
  const frames = video.getVideoPlaybackQuality();
  const active = player.getVideoTracks().find((track) => track.active);
  let ahead = 0;
  for (let n = 0; n < video.buffered.length; n += 1) {
    if (video.buffered.start(n) <= video.currentTime + 0.1) ahead = Math.max(0, video.buffered.end(n) - video.currentTime);
  }
  const stalls = stats.stateHistory.filter((entry) => entry.state === "buffering").length - 1;
  return [
    ["Picture", `${video.videoWidth} × ${video.videoHeight}`],
    ["Rendition", rate(active?.bandwidth)],
    ["Measured line", rate(stats.estimatedBandwidth)],
    ["Buffered ahead", `${ahead.toFixed(1)} s`],
    ["Frames", `${frames.totalVideoFrames} shown, ${frames.droppedVideoFrames} dropped`],
    ["Waited", `${Math.max(0, stalls)} times, ${(stats.bufferingTime || 0).toFixed(1)} s`],
    ["First picture after", stats.loadLatency ? `${stats.loadLatency.toFixed(2)} s` : "–"],
    ["Manifest", player.getManifestType() ?? "–"],
  ];
}

/**
 * What the engine is doing, for those who want to know (key "i").
 * @param {{video: HTMLVideoElement, player: Player, onClose: () => void}} props
 */
export function Stats({ video, player, onClose }) {
  const [rows, setRows] = useState(() => measure(video, player));
  useEffect(() => {
    const timer = setInterval(() => setRows(measure(video, player)), 500);
    return () => clearInterval(timer);
  }, [video, player]);
  return html`
    <aside class="stats" noautohide aria-label="What the player is doing">
      <dl>${rows.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
      <button class="text-button" onClick=${onClose}>Close</button>
    </aside>
  `;
}
