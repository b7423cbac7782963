"""Audio segments that are the source's own AAC packets. Children only.

Packets are put on the grid by counting: a container's rounding is taken off, and what is missing, or what FFmpeg and so
a browser cannot decode, is a frame of encoded silence. The init segment is that of the encoder, which says the same of
any AAC-LC of this rate and these channels. A segment in which the source is something else is encoded.
"""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING

import av
import numpy as np

from ottserver.backends.ffmpeg.adts import configuration, payload, specific
from ottserver.backends.ffmpeg.layouts import positions
from ottserver.backends.ffmpeg.sourcefile import open_source, packets, seek
from ottserver.transcode.audio import audio_init, audio_segments, encoded, fragment
from ottserver.transcode.grid import AAC_FRAME, nearest
from ottserver.transcode.landing import landed
from ottserver.transcode.plan import audio_bandwidth, audio_boundaries
from ottserver.transcode.slicing import Uncut

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet

    from ottserver.transcode.models import EncodingPlan, InitSegment, Track

    Placed = tuple[Fraction, bytes | None]

_LEAD = 2
# Frames before the segment that the decoder hears first, which its first one overlaps with.
_BACK_OFF_SECONDS = (Fraction(1, 5), 1, 3, 10, 30, 90)
_BEYOND = 8
# So many frames behind the segment are looked at: containers may hold packets a little out of order.


def sound_init(path: Path, plan: EncodingPlan, track: Track) -> InitSegment:
    """The copied track's init segment, which is the encoder's, once a first segment of its packets could be cut.

    Raises `Uncut`, and `av.error.FFmpegError` or `OSError` when the source cannot be read.
    """
    init = audio_init(track)
    bounds, source = audio_boundaries(plan, track), _Source(path, plan, track)
    index = min(max(bisect_right(bounds, source.begin) - 1, 0), len(bounds) - 2)
    cut = _cut(source, track, bounds[index], bounds[index + 1])
    if cut is None or not any(cut) or _muxed(track, cut, bounds[index])[0] != init.data:
        message = f"the packets of sound in the source's stream {track.stream} cannot be played as they are"
        raise Uncut(message)
    return init


def copied_sound(path: Path, plan: EncodingPlan, track: Track, index: int) -> tuple[bytes, bytes]:
    """Init and media segment `index` of a copied track.

    One of more bits than the track announces is encoded instead, and one of other packets than the track's own. Raises
    `av.error.FFmpegError` or `OSError` when the source cannot be read.
    """
    bounds = audio_boundaries(plan, track)
    start, end = bounds[index], bounds[index + 1]
    cut = _cut(_Source(path, plan, track), track, start, end)
    if cut is not None:
        init, media = _muxed(track, cut, start)
        if len(media) * 8 <= audio_bandwidth(track) * Fraction(end - start, track.sample_rate):
            return init, media
    ((_, init, media),) = audio_segments(path, plan, track, index, 1)
    return init, media


def _cut(source: _Source, track: Track, start: int, end: int) -> list[bytes] | None:
    """The frames of a segment, no bytes where silence has to be; nothing where the source is not what the track is."""
    first = start - _LEAD * AAC_FRAME
    slots = source.slots(first, (end - first) // AAC_FRAME)
    if None in slots[_LEAD:]:
        return None
    extradata = source.extradata or specific(track.sample_rate, track.channels)
    return _decodable(extradata, [slot or b"" for slot in slots], track.channels)[_LEAD:]


def _muxed(track: Track, cut: list[bytes], start: int) -> tuple[bytes, bytes]:
    packets_ = []
    for number, data in enumerate(cut):
        packet: Packet[AudioStream] = av.Packet(data or _silence(track))  # type: ignore[assignment] # of no stream yet
        packet.pts = packet.dts = start + number * AAC_FRAME
        packet.duration, packet.time_base = AAC_FRAME, Fraction(1, track.sample_rate)
        packets_.append(packet)
    init, media, _ = fragment(track, packets_)
    return init, media


class _Source:
    """The packets of one track."""

    def __init__(self, path: Path, plan: EncodingPlan, track: Track) -> None:
        """Nothing is opened yet."""
        self._path = path
        self._track = track
        self.extradata = b""
        stream = {stream.index: stream for stream in plan.report.audio}[track.stream]
        self._time_base = Fraction(stream.time_base)
        self._video = plan.report.video
        self._origin = self._video.origin * Fraction(self._video.time_base)
        self._begin = stream.start * self._time_base - self._origin
        self._rounding = ceil(self._time_base * track.sample_rate) + 2

    @property
    def begin(self) -> Fraction:
        """Where its first packet lies, in samples."""
        return self._begin * self._track.sample_rate

    def slots(self, first: int, count: int) -> list[bytes | None]:
        """The frames at `first` and onwards; no bytes where the source has none there, nothing for one of another kind.

        Frames that follow each other are a run, and all of a run is shifted to the grid together: after a hole in the
        source that is no whole number of frames sound is at most half a frame from its place.
        """
        found: dict[int, bytes | None] = {}
        run: list[Placed] = []
        expected: Fraction | None = None
        end = first + (count + _BEYOND) * AAC_FRAME
        for position, data in self._from(first):
            if position >= end:
                break
            if expected is not None and abs(position - expected) > 2 * self._rounding:
                self._settle(run, first, found)
                run = []
            run.append((position, data))
            expected = position + AAC_FRAME
        self._settle(run, first, found)
        return [found.get(slot, b"") for slot in range(count)]

    @staticmethod
    def _settle(run: list[Placed], first: int, found: dict[int, bytes | None]) -> None:
        if not run:
            return
        starts = [position - number * AAC_FRAME for number, (position, _) in enumerate(run)]
        slot = nearest(((min(starts) + max(starts)) / 2 - first) / AAC_FRAME)
        for number, (_, data) in enumerate(run, start=slot):
            found.setdefault(number, data)

    def _from(self, first: int) -> Iterator[Placed]:
        """Frames with their positions in samples, from at or before `first` (where the source has that) to the end."""
        # By key frames of the picture: Matroska has no index of sound, and would be read up to there.
        wanted = Fraction(first, self._track.sample_rate)
        room = wanted - self._begin
        return landed(lambda seconds: self._attempt(first, seconds), _BACK_OFF_SECONDS, room, self._whole)

    def _whole(self) -> Iterator[Placed]:
        with open_source(self._path) as container:
            yield from self._frames(container)

    def _attempt(self, first: int, seconds: float | Fraction) -> Iterator[Placed]:
        """The frames from some seconds before `first` on, or none where the first of them comes too late."""
        time_base = Fraction(self._video.time_base)
        target = int((Fraction(first, self._track.sample_rate) + self._origin) / time_base)
        with open_source(self._path) as container:
            stream = container.streams[self._video.index]
            try:
                seek(self._path, container, stream, target, back=int(Fraction(seconds) / time_base))
            except av.error.PermissionError:
                return
            frames = self._frames(container)
            head = next(frames, None)
            if head is not None and head[0] <= first:
                yield head
                yield from frames

    def _frames(self, container: InputContainer) -> Iterator[Placed]:
        track = self._track
        stream = container.streams[track.stream]
        self.extradata = bytes(stream.codec_context.extradata or b"")
        following: Fraction | None = None
        for packet in packets(container, stream):
            if not packet.size or packet.is_discard:
                continue
            position = following
            if packet.pts is not None and packet.time_base is not None:
                position = (packet.pts * packet.time_base - self._origin) * track.sample_rate
            if position is None:
                continue
            following = position + AAC_FRAME
            data = bytes(packet)
            same = configuration(self.extradata, data) == (track.sample_rate, track.channels)
            if packet.is_corrupt:
                yield position, b""
                continue
            yield position, (data if self.extradata else payload(data)) if same else None


def _decodable(extradata: bytes, slots: list[bytes], channels: int) -> list[bytes]:
    """The frames, without those that a decoder refuses or takes for something else, and those between such."""
    decoder = _decoder(extradata)
    good = []
    for data in slots:
        try:
            frames = decoder.decode(av.Packet(data)) if data else []
        except av.error.FFmpegError:
            # One that has met damage goes on with the channels that it found there.
            decoder, frames = _decoder(extradata), []
        # All are looked at: a frame whose layout is not read cannot be let go of.
        heard = [(len(positions(frame)), frame.samples) for frame in frames]
        good.append(not data or heard == [(channels, AAC_FRAME)])
    beside = zip([True, *good], [*good[1:], True], strict=False)
    return [data if whole and any(near) else b"" for data, whole, near in zip(slots, good, beside, strict=True)]


def _decoder(extradata: bytes) -> AudioCodecContext:
    decoder: AudioCodecContext = av.CodecContext.create("aac", "r")
    decoder.extradata = extradata
    return decoder


@lru_cache(maxsize=16)
def _silence(track: Track) -> bytes:
    """One frame of silence, as the encoder makes it in the middle of silence."""
    return bytes(encoded(track, np.zeros((track.channels, 4 * AAC_FRAME), np.float32), 0)[2])
