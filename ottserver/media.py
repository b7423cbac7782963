"""What a probe says of a source, and what a player may ask of it: pure values that cross the rooms.

A `SourceReport` is made by ingest's probe and read by transcode's planner. A `Presentation` is made by the planner
and read by delivery (manifests), playback (duration, heights) and catalog (what a title page shows).

Frame rates and time bases are exact rationals, written "24000/1001"; times in ticks are integers of that timescale.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Purpose = Literal["", "commentary", "description", "clear"]
"""What a track is for beside the film's own sound: a commentary, the picture told in words, speech easier to hear."""

BROWSER_AVC_PROFILES = ("42", "4d", "64")
"""Profiles of H.264 that every browser decodes, as avc1 names begin with them: Baseline, Main and High."""


@dataclass(frozen=True, slots=True)
class VideoStream:
    """The one video stream that is played (cover art is not one)."""

    index: int
    codec: str
    width: int
    """Coded width in pixels, before rotation and sample aspect."""
    height: int
    sample_aspect: str
    """Width over height of one pixel, "1/1" when square."""
    rotation: int
    """Clockwise degrees that a player must turn the picture: 0, 90, 180 or 270."""
    pixel_format: str
    interlaced: bool
    frame_rate: str
    """Constant rate of the output grid, frames a second; the measured rate snapped to a standard one."""
    time_base: str
    """Seconds per tick of the stream's own timestamps."""
    origin: int
    """Timestamp of the first frame shown, in the stream's ticks: frame 0 of the grid."""
    frames: int
    """Frames on the grid, first to last frame shown; the length of every video rendition."""
    color_primaries: str = "unknown"
    color_transfer: str = "unknown"
    color_space: str = "unknown"
    color_range: str = "unknown"
    peak: int = 0
    """The film's greatest light in cd/m2 as it states it; 0 where it says nothing."""
    codecs: str = ""
    """RFC 6381 name of the stream as it is, such as avc1.64001f; nothing where it has none that players know."""
    extradata: str = ""
    """The decoder's configuration as the container has it, in hexadecimal."""
    keys: tuple[int, ...] = ()
    """Key frames by their numbers on the grid, in order, half a second apart or more; none where they are not known."""
    key_bytes: tuple[int, ...] = ()
    """The most bytes that the frames from each key frame up to the next one, or the end, take."""
    closed: bool = False
    """Whether each of `keys` parts the film: nothing from it on refers to, or is shown before, anything before it."""
    steady: bool = False
    """Whether every frame of the source has a number of its own, from 0 on without a gap."""
    reorder: int = 0
    """By how many frames decoding runs ahead of showing."""

    @property
    def rate(self) -> Fraction:
        """Frames a second as an exact rational."""
        return Fraction(self.frame_rate)


@dataclass(frozen=True, slots=True)
class AacPackets:
    """How a track's AAC packets lie that can be played as they are: plain AAC-LC, one after another."""

    phase: int
    """Where packets begin, in samples from the film's first picture, modulo the 1024 of a packet."""
    bitrate: int
    """Bits a second, on average over the places that were looked at."""
    peak: int
    """Bits a second that hardly any stretch of it exceeds."""


@dataclass(frozen=True, slots=True)
class AudioStream:
    """One audio track."""

    index: int
    codec: str
    sample_rate: int
    channels: int
    layout: str
    language: str
    """BCP 47 or ISO 639 code as the container has it, "und" when it says nothing."""
    title: str
    default: bool
    time_base: str
    start: int
    """Timestamp of the first sample, in the stream's ticks."""
    positions: tuple[str, ...] = ()
    """Where each channel sounds from, in FFmpeg's names such as "FL" and "LFE"; "" where nothing says so."""
    purpose: Purpose = ""
    aac: AacPackets | None = None
    """Set where the track's packets can be copied."""


@dataclass(frozen=True, slots=True)
class SubtitleStream:
    """One subtitle track, text or image."""

    index: int
    codec: str
    language: str
    title: str
    default: bool
    forced: bool
    hearing_impaired: bool = False
    """Whether sounds are described too."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A named stretch of the film, in seconds from its first frame."""

    start_seconds: float
    end_seconds: float
    title: str


@dataclass(frozen=True, slots=True)
class SourceReport:
    """All that is known of a source file after a probe of a few hundred milliseconds."""

    container: str
    size_bytes: int
    duration_seconds: float
    """Frames of video divided by their rate."""
    video: VideoStream
    audio: tuple[AudioStream, ...] = ()
    subtitles: tuple[SubtitleStream, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    title: str = ""
    """The title that the container's metadata carries, or nothing."""


@dataclass(frozen=True, slots=True)
class Rendition:
    """One video rung or one audio track of a presentation, as manifests announce it.

    Segment i covers boundaries[i] up to boundaries[i + 1], in ticks of `timescale`, from the film's first frame.
    """

    name: str
    """Path component of its URLs and blob keys: "v480", "a0"."""
    kind: Literal["video", "audio"]
    codecs: str
    """RFC 6381, such as avc1.64001f or mp4a.40.2."""
    bandwidth: int
    """Peak bits a second of any segment, as RFC 8216 section 4.3.4.2 wants."""
    average_bandwidth: int
    """Expected bits a second over the whole rendition."""
    timescale: int
    """Ticks a second."""
    boundaries: tuple[int, ...]
    """Start of every segment and, last, the end of the rendition: one more entry than there are segments."""
    width: int = 0
    height: int = 0
    height_class: int = 0
    """The class that plans speak of: 480, 720, 1080 or 2160. A 1920x800 rung is class 1080; 0 for audio."""
    frame_rate: str = ""
    sample_rate: int = 0
    channels: int = 0
    language: str = "und"
    """BCP 47, "und" when unknown."""
    label: str = ""
    """What people choose by; the renditions of one sound share it."""
    default: bool = False
    purpose: Purpose = ""
    beside: str = ""
    """For sound in 5.1: name of the stereo rendition of the same track."""
    group: Literal["ladder", "original"] = "ladder"
    """`original`: the source's own packets on their own boundaries, announced in a manifest of their own."""
    copied: bool = False
    """Whether the bytes are the source's own packets: nothing is encoded for it, and nothing is stored."""

    @property
    def segments(self) -> int:
        """How many media segments there are."""
        return len(self.boundaries) - 1

    def index_at(self, seconds: float) -> int:
        """Which segment shows that second of the film; the first before its beginning, the last after its end."""
        at = bisect_right(self.boundaries, seconds * self.timescale) - 1
        return min(max(at, 0), self.segments - 1)


@dataclass(frozen=True, slots=True)
class Presentation:
    """Everything a player can ask of one source under one version of ladder and encoder.

    `id` is a hash of source, ladder, grid and encoder version: whatever changes the bytes changes it, and it is part of
    every segment's URL and blob key.
    """

    id: str
    """32 lower-case hexadecimal digits."""
    source_id: str
    duration_seconds: float
    renditions: tuple[Rendition, ...]

    @property
    def video(self) -> tuple[Rendition, ...]:
        """Video rungs of the ladder, lowest first."""
        return tuple(r for r in self.renditions if r.kind == "video" and r.group == "ladder")

    @property
    def original(self) -> Rendition | None:
        """The source's own pictures where they are offered beside the ladder."""
        return next((r for r in self.renditions if r.group == "original"), None)

    @property
    def audio(self) -> tuple[Rendition, ...]:
        """Audio renditions, the default one first, those in 5.1 last."""
        return tuple(r for r in self.renditions if r.kind == "audio")

    def needed_height(self, rendition: Rendition) -> int:
        """The least `max_height` of a plan that opens the rendition: 0 for audio and for the lowest rung.

        A plan buys every title at some height. Where even the lowest rung is above the plan, that rung is it: a ladder
        of one rung (a source that is only passed through) must not turn a paid plan into an empty manifest.
        """
        lowest = min((rung.height_class for rung in self.video), default=0)
        return 0 if rendition.height_class <= lowest else rendition.height_class

    def rendition(self, name: str) -> Rendition | None:
        """The rendition of that name, or nothing."""
        return next((r for r in self.renditions if r.name == name), None)


@dataclass(frozen=True, slots=True)
class TextTrack:
    """One subtitle track of a presentation. One that is not text is listed and cannot be shown: it has no bytes."""

    name: str
    """Path component of its URL and blob key, with a digest of its bytes: "s0-1b2a3c4d5e"."""
    language: str
    """BCP 47, "und" when unknown."""
    label: str
    kind: Literal["text", "image", "other"]
    """`other`: of a codec that is not known here."""
    codec: str
    default: bool = False
    forced: bool = False
    hearing_impaired: bool = False


@dataclass(frozen=True, slots=True)
class Storyboard:
    """Small pictures for the seek bar, on sheets of `columns` x `rows` tiles; tile n shows second n x `interval`."""

    interval: float
    """Seconds between two tiles."""
    tiles: int
    columns: int
    rows: int
    tile_width: int
    """Pixels."""
    tile_height: int
    bandwidth: int
    """Peak bits a second of the sheets, as manifests declare it."""
    folder: str = "storyboard"
    """Where the sheets are, in addresses and below the film's extras."""

    @property
    def sheets(self) -> int:
        """How many sheets there are."""
        return -(-self.tiles // (self.columns * self.rows))


@dataclass(frozen=True, slots=True)
class Artwork:
    """Pictures from the film for its title page, best first: each as a poster, and larger as a backdrop."""

    seconds: tuple[float, ...]
    """Where in the film each is from."""
    poster: int
    """Which one is the poster unless somebody chooses another."""
    backdrop: int


@dataclass(frozen=True, slots=True)
class Extras:
    """What is made of a film beside its segments. Nothing that plays waits for it; None: not made yet."""

    text: tuple[TextTrack, ...] | None = None
    glance: Storyboard | None = None
    """A first, rough storyboard, where the other one comes later."""
    storyboard: Storyboard | None = None
    artwork: Artwork | None = None
    failed: tuple[tuple[str, str], ...] = ()
    """Errands that could not be done, each with its reason in words."""
    added: tuple[TextTrack, ...] = ()
    """Subtitles that people brought as files of their own."""

    @property
    def board(self) -> Storyboard | None:
        """The best storyboard there is by now."""
        return self.glance if self.storyboard is None else self.storyboard

    @property
    def tracks(self) -> tuple[TextTrack, ...]:
        """Every subtitle track that is known by now."""
        return (*(self.text or ()), *self.added)

    @property
    def shown(self) -> tuple[TextTrack, ...]:
        """Those that players can show."""
        return tuple(track for track in self.tracks if track.kind == "text")


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is still to be said of a film that is being encoded ahead of time."""

    made: float = 0.0
    """Share of the work that is done, 0 to 1: large pictures are more of it than small ones and sound."""
    seconds_left: float | None = None
    """Until all of it is made, at the speed measured lately; nothing before enough was measured."""
    renditions: Mapping[str, float] = field(default_factory=dict)
    """The same for each rendition that is not all made, by name."""
    waits_for: str = ""
    """Why it is not being worked on, in a sentence; nothing while it is."""
    damaged: tuple[tuple[str, int, str], ...] = ()
    """Segments that could not be made: rendition, index, reason."""


def extra_key(presentation_id: str, name: str) -> str:
    """Blob key of an extra, such as "s0.vtt" or "storyboard/0.jpg"."""
    return f"extras/{presentation_id}/{name}"


def sidecar_key(source_id: str, name: str) -> str:
    """Blob key of a WebVTT file made of subtitles that somebody brought."""
    return f"subtitles/{source_id}/{name}.vtt"


def artwork_key(presentation_id: str, picture: str) -> str:
    """Blob key of a picture made from the film, such as "poster-0" or "backdrop-0"."""
    return f"artwork/{presentation_id}/{picture}.jpg"


def init_key(presentation_id: str, rendition: str) -> str:
    """Blob key of a rendition's init segment (ISO/IEC 14496-12 file type and movie boxes)."""
    return f"presentations/{presentation_id}/{rendition}/init.mp4"


def segment_key(presentation_id: str, rendition: str, index: int) -> str:
    """Blob key of media segment `index`, counted from 0."""
    return f"presentations/{presentation_id}/{rendition}/{index}.m4s"
