/**
 * Pictures above the time line. media-chrome shows them wherever a pointer or a finger is, once the film has a track of
 * that name; what is done here is to bring the sheets in before they are looked at.
 * @param {HTMLElement} stage an ancestor of the media-controller
 * @param {HTMLVideoElement} video
 * @param {string} url of the WebVTT index
 * @returns {() => void} takes them away
 */
export function showThumbnails(stage, video, url) {
  const track = Object.assign(document.createElement("track"), { kind: "metadata", label: "thumbnails", default: true, src: url });
  video.append(track);
  // Cues are read of a track that is not disabled (HTML, text track mode).
  track.track.mode = "hidden";
  let fetched = false;
  const onPointer = (/** @type {PointerEvent} */ event) => {
    const near = event.composedPath().some((node) => node instanceof Element && node.localName === "media-time-range");
    if (!near || fetched || !track.track.cues?.length) return;
    fetched = true;
    void fetchSheets(sheetsOf(track.track.cues, url), video.duration ? video.currentTime / video.duration : 0);
  };
  stage.addEventListener("pointerover", onPointer, true);
  stage.addEventListener("pointerdown", onPointer, true);
  return () => {
    stage.removeEventListener("pointerover", onPointer, true);
    stage.removeEventListener("pointerdown", onPointer, true);
    track.remove();
  };
}

/**
 * @param {TextTrackCueList} cues
 * @param {string} url that their addresses are relative to
 * @returns {string[]} addresses of the sheets, in the order of the film
 */
function sheetsOf(cues, url) {
  const base = new URL(url, location.href);
  const texts = [...cues].map((cue) => String(Reflect.get(cue, "text")).split("#")[0] ?? "");
  return [...new Set(texts)].map((text) => new URL(text, base).href);
}

/**
 * One after another, so that the film itself never waits for them: those next to where it stands first.
 * @param {string[]} sheets
 * @param {number} at share of the film, 0 to 1
 */
async function fetchSheets(sheets, at) {
  const here = at * sheets.length - 0.5;
  const order = sheets.map((sheet, n) => ({ sheet, far: Math.abs(n - here) })).sort((a, b) => a.far - b.far);
  for (const { sheet } of order) {
    const image = new Image();
    image.src = sheet;
    await image.decode().catch(() => undefined);
  }
}
