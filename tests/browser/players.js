// Puts one of three independent players before the page's video element, and reads what that shows.

const video = document.querySelector("video");
const canvas = Object.assign(document.createElement("canvas"), { width: 0, height: 1 });

/** Rejects with what a player calls fatal. */
const once = (subscribe) => new Promise((resolve, reject) => subscribe(resolve, (why) => reject(new Error(JSON.stringify(why)))));

const PLAYERS = {
  async shaka(url, start) {
    const player = new shaka.Player();
    await player.attach(video);
    await player.load(url, start);
    return player.getVideoTracks().map((track) => track.height);
  },
  hls(url, start) {
    const player = new Hls({ startPosition: start });
    player.attachMedia(video);
    player.loadSource(url);
    return once((resolve, reject) => {
      player.on(Hls.Events.MANIFEST_PARSED, () => resolve(player.levels.map((level) => level.height)));
      player.on(Hls.Events.ERROR, (_name, error) => error.fatal && reject([error.type, error.details]));
    });
  },
  dash(url, start) {
    const player = dashjs.MediaPlayer().create();
    player.initialize(video, undefined, false);
    player.attachSource(url, start);
    return once((resolve, reject) => {
      player.on("streamInitialized", () => resolve(player.getRepresentationsByType("video").map((one) => one.height)));
      player.on("error", ({ error }) => reject([error.code, error.message]));
    });
  },
};

/** Load a manifest, paused at `start` seconds; the heights of the pictures that the player found in it, in order. */
window.load = async (player, url, start) => (await PLAYERS[player](url, start)).sort((a, b) => a - b);

/** The number that the picture shown carries in `bits` upright bars, the highest bit on the left; -1 without a picture. */
window.shownNumber = (bits) => {
  if (video.seeking || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return -1;
  canvas.width = bits * 4;
  const picture = canvas.getContext("2d", { willReadFrequently: true });
  picture.drawImage(video, 0, 0, canvas.width, 1);
  const { data } = picture.getImageData(0, 0, canvas.width, 1);
  let number = 0;
  for (let bit = 0; bit < bits; bit += 1) number = number * 2 + Number(data[(bit * 4 + 2) * 4] > 126);
  return number;
};
