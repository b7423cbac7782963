// Reads {"master", "media", "mpd"} from standard input and prints what independent parsers make of them, as JSON.
import { readFileSync } from "node:fs";
import HLS from "hls-parser";
import { parse } from "mpd-parser";

const { master, media, mpd } = JSON.parse(readFileSync(0, "utf8"));
HLS.setOptions({ strictMode: true });
const variants = HLS.parse(master).variants;
const list = HLS.parse(media);
const dash = parse(mpd, { manifestUri: "http://host/media/t/v/manifest.mpd", eventHandler: ({ type, message }) => {
  throw new Error(`${type}: ${message}`);
} });
console.log(JSON.stringify({
  hls: {
    heights: variants.map((variant) => variant.resolution.height),
    audio: variants[0].audio.map((track) => [track.language, track.name, track.isDefault, track.channels]),
    subtitles: variants[0].subtitles.map((track) => track.name),
    durations: list.segments.map((segment) => segment.duration),
    endlist: list.endlist,
  },
  dash: {
    duration: dash.duration,
    heights: dash.playlists.map((playlist) => playlist.attributes.RESOLUTION.height),
    segments: dash.playlists[0].segments.map((segment) => segment.resolvedUri),
    init: dash.playlists[0].segments[0].map.resolvedUri,
    subtitles: Object.fromEntries(Object.entries(dash.mediaGroups.SUBTITLES.subs).map(([name, track]) => [name, track.playlists[0].resolvedUri ?? track.playlists[0].segments[0].resolvedUri])),
    audio: Object.values(dash.mediaGroups.AUDIO.audio).map((track) => track.language),
    sound: Object.values(dash.mediaGroups.AUDIO.audio)[0].playlists[0].segments.map((segment) => [segment.presentationTime, segment.duration]),
  },
}));
