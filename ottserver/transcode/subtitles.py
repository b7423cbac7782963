"""The text subtitles of a film as WebVTT files, read from the container without decoding a picture. Children only."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import TYPE_CHECKING, Any

import av
from av.stream import Discard
from av.subtitles.subtitle import AssSubtitle

from ottserver.backends.ffmpeg.sourcefile import open_source
from ottserver.languages import language_tag, own_name
from ottserver.media import TextTrack
from ottserver.transcode.leash import UNBOUND, Unbound
from ottserver.transcode.substation import cue as substation_cue, script
from ottserver.transcode.webvtt import MOST_CUES, Cue, document, sanitised, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.packet import Packet
    from av.subtitles.stream import SubtitleStream as Demuxed

    from ottserver.media import SubtitleStream
    from ottserver.transcode.models import EncodingPlan

IMAGES = frozenset({"hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle", "xsub"})
TEXTS = frozenset(
    (
        *("subrip", "ass", "ssa", "mov_text", "webvtt", "text", "microdvd", "sami", "subviewer", "subviewer1"),
        *("realtext", "jacosub", "mpl2", "vplayer", "pjs", "stl"),
    )
)
_NO_END_MS = 5_000
# How long a line stays that says no end, when none follows it sooner.
_BROKEN_READS = 10
_TELL_SECONDS = 10.0


def tracks_of(plan: EncodingPlan) -> list[TextTrack]:
    """Every subtitle track of the film in the container's order, before any is read."""
    streams = plan.report.subtitles
    # Writers of Matroska mark a lone track, or all of them, as the default one without meaning anything by it.
    telling = len(streams) > 1 and sum(stream.default for stream in streams) == 1
    return [_track(number, one, default=one.default and telling) for number, one in enumerate(streams)]


def _track(number: int, stream: SubtitleStream, *, default: bool) -> TextTrack:
    tag = language_tag(stream.language)
    return TextTrack(
        name=f"s{number}",
        language=tag,
        label=stream.title or own_name(tag),
        kind="text" if stream.codec in TEXTS else "image" if stream.codec in IMAGES else "other",
        codec=stream.codec,
        default=default,
        forced=stream.forced,
        hearing_impaired=stream.hearing_impaired,
    )


def subtitles(path: Path, plan: EncodingPlan, leash: Unbound = UNBOUND) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The errand: files of the tracks, then the tracks as `result`; while a long film is read, signs of life."""
    tracks = tracks_of(plan)
    wanted = {
        stream.index: track.name
        for track, stream in zip(tracks, plan.report.subtitles, strict=True)
        if track.kind == "text"
    }
    video = plan.report.video
    origin = video.origin * Fraction(video.time_base)
    last = floor(1000 * video.frames / video.rate)
    names: dict[str, str] = {}
    for found in _read(path, wanted, origin, leash) if wanted else ():
        if found is None:
            yield {"reading": True}, b""
            continue
        data, _ = document(replace(cue, end=min(cue.end, last)) for cue in found.cues)
        names[found.name] = file_name(found.name, data)
        yield {"extra": f"{names[found.name]}.vtt"}, data
    fields = ("name", "language", "label", "kind", "codec", "default", "forced", "hearing_impaired")
    listed = [replace(track, name=names.get(track.name, track.name)) for track in tracks]
    yield {"result": {"tracks": [{name: getattr(track, name) for name in fields} for track in listed]}}, b""


def file_name(name: str, data: bytes) -> str:
    """The track's name with a digest of its file: what changes the bytes changes every address of them."""
    return f"{name}-{hashlib.sha256(data).hexdigest()[:10]}"


@dataclass(frozen=True, slots=True)
class _Read:
    """A track that was read."""

    name: str
    cues: list[Cue]


def _read(path: Path, wanted: dict[int, str], origin: Fraction, leash: Unbound) -> Iterator[_Read | None]:
    """The cues of the streams, from one reading of the file; nothing now and then while that goes on."""
    with open_source(path) as container:
        readers: dict[int, Reader] = {}
        # The tables of these containers say where the few packets of text are; others have to be read through.
        skipping = container.format.name.startswith("mov")
        for stream in container.streams:
            if stream.index in wanted and stream.codec_context is not None:
                readers[stream.index] = Reader(stream, origin)  # type: ignore[arg-type] # the probe saw subtitles here
            elif skipping:
                stream.discard = Discard.all
        told = time.monotonic()
        for packet in packets(container, list(container.streams)):
            leash.check()
            if time.monotonic() - told > _TELL_SECONDS:
                told = time.monotonic()
                yield None
            if packet.stream_index in readers:
                readers[packet.stream_index].take(packet)
    for index, reader in readers.items():
        yield _Read(wanted[index], reader.cues())


def packets(container: InputContainer, streams: list[Any]) -> Iterator[Packet[Any]]:
    """The packets of the streams; damaged places are passed over, a few times."""
    for _ in range(_BROKEN_READS):
        try:
            yield from container.demux(streams)
        except av.error.FFmpegError:
            continue
        except IndexError:
            # PyAV 18.1 ends so where a stream began on the way, as in broadcasts; all packets have come by then.
            return
        return


class Reader:
    """Turns the packets of one stream into cues."""

    def __init__(self, stream: Demuxed, origin: Fraction) -> None:
        """Times are counted from `origin` seconds of the stream's own clock."""
        self._stream = stream
        self._origin = origin
        self._plain = stream.codec_context.codec.canonical_name == "webvtt"
        self._head: Any = None
        self._cues: list[Cue] = []
        self._endless: list[int] = []

    def take(self, packet: Packet[Any]) -> None:
        """One more packet; what is damaged, or too much, is left out."""
        if packet.pts is None or not packet.size or len(self._cues) >= MOST_CUES:
            return
        start = round(1000 * (packet.pts * packet.time_base - self._origin))
        length = round(1000 * (packet.duration or 0) * packet.time_base)
        try:
            if self._plain:
                found = [Cue(start, start + length, sanitised(_utf8(bytes(packet))), _settings(packet))]
            else:
                found = self._decoded(packet, start, length)
        except (av.error.FFmpegError, ValueError):
            return
        for cue in found:
            if cue.end <= cue.start:
                self._endless.append(len(self._cues))
            self._cues.append(cue)

    def _decoded(self, packet: Packet[Any], start: int, length: int) -> list[Cue]:
        # FFmpeg's decoders give SubStation events for every kind of text.
        rects = self._stream.decode(packet)
        if self._head is None:
            self._head = script(_utf8(self._stream.codec_context.subtitle_header or b""))
        events = [_utf8(rect.ass) for rect in rects if isinstance(rect, AssSubtitle)]
        return [substation_cue(event, start, start + length, self._head) for event in events]

    def cues(self) -> list[Cue]:
        """All cues; one without an end lasts until the next one, or for some seconds."""
        starts = sorted({cue.start for cue in self._cues})
        following = dict(pairwise(starts))
        for at in self._endless:
            cue = self._cues[at]
            end = min(following.get(cue.start, cue.start + _NO_END_MS), cue.start + _NO_END_MS)
            self._cues[at] = replace(cue, end=end)
        return self._cues


def _settings(packet: Packet[Any]) -> str:
    if not packet.has_sidedata("webvtt_settings"):
        return ""
    return settings_of(_utf8(bytes(packet.get_sidedata("webvtt_settings"))))


def _utf8(data: bytes) -> str:
    return data.decode(errors="replace").replace("\x00", "")
