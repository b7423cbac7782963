"""The addresses of media: /media/{ticket}/{video}/ and, relative to the manifests there, everything inside.

/media/{ticket}/{video}/master.m3u8
/media/{ticket}/{video}/manifest.mpd
/media/{ticket}/{video}/original.m3u8
/media/{ticket}/{video}/original.mpd
/media/{ticket}/{video}/{presentation}/{rendition}/media.m3u8
/media/{ticket}/{video}/{presentation}/{rendition}/init.mp4
/media/{ticket}/{video}/{presentation}/{rendition}/{index}.m4s
/media/{ticket}/{video}/{presentation}/{track}/media.m3u8
/media/{ticket}/{video}/{presentation}/{track}/subtitles.vtt
/media/{ticket}/{video}/{presentation}/storyboard/{images.m3u8,index.vtt,0.jpg}; the same below glance/
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PREFIX = "/media/"
MASTER = "master.m3u8"
MPD = "manifest.mpd"
ORIGINAL_MASTER = "original.m3u8"
ORIGINAL_MPD = "original.mpd"
"""The two manifests of the source's own pictures, where they are offered beside the ladder."""
MANIFESTS = (MASTER, MPD, ORIGINAL_MASTER, ORIGINAL_MPD)
MEDIA_PLAYLIST = "media.m3u8"
INIT = "init.mp4"
SUBTITLES = "subtitles.vtt"
SEGMENT_SUFFIX = ".m4s"

_INDEX = re.compile(r"(0|[1-9][0-9]{0,8})\.m4s", re.ASCII)
_MANIFEST_PARTS = 1
_INSIDE_PARTS = 3


@dataclass(frozen=True, slots=True)
class MediaPath:
    """A path below `/media/`, taken apart; nothing in it has been believed yet."""

    ticket: str
    video_id: str
    inside: str
    """What follows the video: the same for every session, and so the key of caches."""


def split(path: str) -> MediaPath | None:
    """Take a raw (not percent-decoded) path apart, or nothing when it is too short to hold a ticket and a video.

    No part of a genuine address ever needs an escape, so an escaped one is simply another, unknown, address.
    """
    ticket, slash, rest = path.removeprefix(PREFIX).partition("/")
    video_id, second, inside = rest.partition("/")
    if not (slash and second):
        return None
    return MediaPath(ticket, video_id, inside)


@dataclass(frozen=True, slots=True)
class ManifestAddress:
    """A master playlist or an MPD."""

    name: str


@dataclass(frozen=True, slots=True)
class InsideAddress:
    """A media playlist, an init segment or a media segment of one rendition, or a subtitle file."""

    presentation_id: str
    rendition: str
    name: str

    @property
    def index(self) -> int | None:
        """Number of the media segment, or nothing when it is none (or is written with leading zeros)."""
        match = _INDEX.fullmatch(self.name)
        return int(match[1]) if match else None


def address(inside: str) -> ManifestAddress | InsideAddress | None:
    """What the rest of a path speaks of, or nothing when it has none of the known shapes."""
    parts = inside.split("/")
    if len(parts) == _MANIFEST_PARTS and parts[0] in MANIFESTS:
        return ManifestAddress(parts[0])
    if len(parts) == _INSIDE_PARTS:
        return InsideAddress(*parts)
    return None
