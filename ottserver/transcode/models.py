"""What is to be made of a source: settings, rungs, tracks and the plan that fixes every segment. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ottserver.media import Purpose, SourceReport  # noqa: TC001 - pydantic builds the plan from its fields' types

ENCODER_VERSION = 3
"""Raised whenever other code would make other bytes of the same segment."""


@dataclass(frozen=True, slots=True)
class LadderStep:
    """A box of the ladder: pictures that fit it belong to the class of its height."""

    name: str
    """Rendition name: path component of URLs and blob keys."""
    width: int
    height: int
    maxrate: int
    """Most bits a second, averaged over the decoder's buffer."""
    crf: float
    """x264's constant rate factor: the quality aimed at below the cap."""


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """What an operator can set about transcoding."""

    segment_seconds: tuple[float, ...]
    """Lengths of the first segments; the last entry repeats."""
    ladder: tuple[LadderStep, ...]
    preset: str = "veryfast"
    encoder: str = "libx264"
    """Of video; "auto" is the first hardware encoder that passes its self-test, else libx264."""
    audio_bitrate: int = 128_000
    surround_bitrate: int = 384_000
    urgent_workers: int = 1
    background_workers: int = 1
    job_timeout_seconds: float = 120.0
    queue_limit: int = 256


@dataclass(frozen=True, slots=True)
class Rung:
    """One video rendition to make; its pixels are square and upright."""

    name: str
    width: int
    height: int
    height_class: int
    maxrate: int
    bufsize: int
    """Size of the decoder's buffer in bits (the VBV of H.264 annex C)."""
    crf: float
    preset: str


@dataclass(frozen=True, slots=True)
class Copy:
    """One video rendition that is the source's own packets."""

    name: str
    group: Literal["ladder", "original"]
    width: int
    """As shown, in square pixels."""
    height: int
    height_class: int
    codecs: str
    """RFC 6381."""
    cuts: tuple[int, ...]
    """First frame of every segment but the first."""
    bandwidth: int
    """Bits a second that no segment exceeds, boxes included."""
    average_bandwidth: int


@dataclass(frozen=True, slots=True)
class Track:
    """One audio rendition to make: AAC-LC, stereo or 5.1."""

    name: str
    stream: int
    """Index of the stream in the source's container."""
    source_rate: int
    sample_rate: int
    bitrate: int
    language: str
    label: str
    default: bool
    channels: int = 2
    purpose: Purpose = ""
    copied: bool = False
    """Whether it is the source's own packets; then the bit rate is theirs, or more."""
    phase: int = 0
    """Samples from the film's first picture to the first packet, less than a packet has."""
    peak: int = 0
    """For a copy: bits a second that no segment exceeds, boxes not included; a segment that would is encoded."""
    beside: str = ""
    """Name of the stereo rendition of the same sound; nothing for that one itself."""


@dataclass(frozen=True, slots=True)
class EncodingPlan:
    """All that a worker needs to make any segment, given the file."""

    report: SourceReport
    segment_seconds: tuple[float, ...]
    rungs: tuple[Rung, ...]
    tracks: tuple[Track, ...]
    cuts: tuple[int, ...] | None = None
    """First frames of segments, where the source's key frames decide them instead of `segment_seconds`."""
    copies: tuple[Copy, ...] = ()
    """Renditions that are cut from the source's own packets."""
    encoder: str = "libx264"
    """FFmpeg's name of the video encoder."""

    @property
    def copied(self) -> bool:
        """Whether some rendition is the source's own packets: then its init segment comes from the source."""
        return bool(self.copies) or any(track.copied for track in self.tracks)

    def rung(self, name: str) -> Rung:
        """The rung of that name; raises `KeyError`."""
        return {rung.name: rung for rung in self.rungs}[name]

    def track(self, name: str) -> Track:
        """The track of that name; raises `KeyError`."""
        return {track.name: track for track in self.tracks}[name]

    def copy(self, name: str) -> Copy:
        """The copy of that name; raises `KeyError`."""
        return {copy.name: copy for copy in self.copies}[name]


@dataclass(frozen=True, slots=True)
class InitSegment:
    """What a rendition's encoder says of itself before the first frame."""

    rendition: str
    codecs: str
    """RFC 6381."""
    data: bytes
    """ISO/IEC 14496-12 file type and movie boxes."""
