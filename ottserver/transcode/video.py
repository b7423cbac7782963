"""Video segments: from the source's pictures to H.264 in fragmented MP4. Children only.

A segment is made by a fresh encoder, so its first frame is an IDR picture and nothing refers across its ends. Which
source picture an output frame shows is decided by integers alone: the last one whose number on the grid is not greater.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import av
from av.video.frame import PictureType, VideoFrame

from ottserver.transcode.codecs import avc_codecs, level_of
from ottserver.transcode.decode import numbered_frames
from ottserver.transcode.encoders import SOFTWARE, options, pixel_format
from ottserver.transcode.leash import UNBOUND
from ottserver.transcode.models import InitSegment
from ottserver.transcode.mux import REORDER_DELAY, Fragment
from ottserver.transcode.picture import BT709, LIMITED, PIXEL_FORMAT, cascade
from ottserver.transcode.plan import grid_of, video_bandwidth

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from av.packet import Packet
    from av.video.stream import VideoStream

    from ottserver.transcode.decode import Numbered
    from ottserver.transcode.grid import Grid
    from ottserver.transcode.leash import Unbound
    from ottserver.transcode.models import EncodingPlan, Rung
    from ottserver.transcode.picture import Converter

_TIGHTER, _TRIES = 0.7, 5
_BLACK = {0: 16, 1: 128, 2: 128}
_INIT_FRAMES = 3


@dataclass(frozen=True, slots=True)
class Made:
    """One segment, with the init segment that its own encoder wrote."""

    rendition: str
    index: int
    init: bytes
    media: bytes


class RungEncoder:
    """Encodes one segment of one rung."""

    def __init__(
        self,
        rung: Rung,
        grid: Grid,
        first: int,
        *,
        threads: int,
        cap: float = 1.0,
        encoder: str = SOFTWARE,
        level: int | None = None,
    ) -> None:
        """Start at frame number `first`.

        `cap` scales the greatest bit rate; `level` is that of H.264, times ten, where the encoder is not to choose it.
        """
        self.rung = rung
        self._grid = grid
        self._first = first
        self._next = first - REORDER_DELAY
        self._soft = encoder == SOFTWARE
        self._format = pixel_format(encoder)
        self._fragment = Fragment(grid.timescale, first * grid.frame_ticks, keys_inside=not self._soft)
        stream = cast(
            "VideoStream",
            self._fragment.container.add_stream(
                encoder, rate=grid.rate, options=options(encoder, rung, cap=cap, threads=threads, level=level)
            ),
        )
        stream.width, stream.height, stream.pix_fmt = rung.width, rung.height, self._format
        stream.time_base = Fraction(1, grid.timescale)
        context = stream.codec_context
        context.time_base = 1 / grid.rate
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED
        self._stream = stream

    def add(self, number: int, picture: VideoFrame) -> None:
        """Encode the next frame, which is frame `number` of the grid."""
        if self._format != PIXEL_FORMAT:
            picture = picture.reformat(format=self._format)
        picture.pts, picture.time_base = number, 1 / self._grid.rate
        if not self._soft:
            picture.pict_type = PictureType.I if number == self._first else PictureType.NONE
            self._mux(self._stream.encode(picture))
            return
        # With the film's last two frames in the order of their decoding, every rung's last packet is its last frame:
        # FFmpeg's DASH demuxer ends with the first stream that does, and would leave the others' last frames unread.
        picture.pict_type = PictureType.P if number == self._grid.starts[-1] - 2 else PictureType.NONE
        self._mux(self._stream.encode(picture))

    def finish(self) -> tuple[bytes, bytes, bytes]:
        """Bytes of the init segment, of the media segment, and the parameter sets."""
        self._mux(self._stream.encode(None))
        extradata = bytes(self._stream.codec_context.extradata or b"")
        return (*self._fragment.close(), extradata)

    def _mux(self, packets: Sequence[Packet[VideoStream]]) -> None:
        for packet in packets:
            number = round((packet.pts or 0) * packet.time_base * self._grid.rate)
            packet.time_base = Fraction(1, self._grid.timescale)
            packet.pts = number * self._grid.frame_ticks
            # x264 shortens its delay in segments of one or two frames, but the init segment's edit list is the same
            # for all.
            packet.dts = self._next * self._grid.frame_ticks
            packet.duration = self._grid.frame_ticks
            self._next += 1
            self._fragment.add(packet)


def on_grid(frames: Iterator[Numbered], first: int, end: int) -> Iterator[tuple[int, VideoFrame | None]]:
    """For every frame number from `first` up to `end` the source frame that it shows.

    That is the last one at or before it; before the first source frame it is the first, after the last one the last.
    Nothing when there is no frame at all.
    """
    held: VideoFrame | None = None
    cursor = first
    for number, frame in frames:
        if held is not None:
            while cursor < min(number, end):
                yield cursor, held
                cursor += 1
        if cursor >= end:
            return
        held = frame
    while cursor < end:
        yield cursor, held
        cursor += 1


def video_init(plan: EncodingPlan, rung: Rung) -> InitSegment:
    """The rung's init segment, from a few black frames: it depends on the settings only, not on what is shown."""
    encoder = RungEncoder(rung, grid_of(plan), 0, threads=1, encoder=plan.encoder)
    for number in range(_INIT_FRAMES):
        encoder.add(number, black(rung.width, rung.height))
    init, _, extradata = encoder.finish()
    return InitSegment(rung.name, avc_codecs(extradata), init)


def video_segments(
    path: Path,
    plan: EncodingPlan,
    rungs: Sequence[Rung],
    first: int,
    *,
    count: int = 1,
    threads: int,
    leash: Unbound = UNBOUND,
) -> Iterator[Made]:
    """Segments `first` up to `first + count` of every given rung from one decoding.

    `leash` says how far to go. Raises `Stopped` where it ends, `av.error.FFmpegError` or `OSError` when the source
    cannot be read at all.
    """
    grid, video = grid_of(plan), plan.report.video
    starts = grid.starts[first : first + count + 1]
    pictures = on_grid(numbered_frames(path, video, grid, starts[0], threads, leash.check), starts[0], starts[-1])
    for index, (start, end) in enumerate(pairwise(starts), start=first):
        leash.reach(index)
        for rung, (init, media, sets) in zip(
            rungs, _segment(plan, rungs, start, itertools.islice(pictures, end - start), threads, leash), strict=True
        ):
            usual = init
            if _too_large(media, rung, grid, index):
                smaller, media, own = _smaller(path, plan, rung, index, threads, leash, level_of(sets))  # noqa: PLW2901 - the same segment
                # Boxes name the lower cap, by which nothing is decoded: with equal parameter sets the usual init fits.
                usual = init if own == sets else smaller
            yield Made(rung.name, index, usual, media)


def _segment(
    plan: EncodingPlan,
    rungs: Sequence[Rung],
    start: int,
    pictures: Iterable[tuple[int, VideoFrame | None]],
    threads: int,
    leash: Unbound,
) -> list[tuple[bytes, bytes, bytes]]:
    """What `finish` gives of every rung; the encoders, which hold most of a worker's memory, are gone by then."""
    encoders = [RungEncoder(rung, grid_of(plan), start, threads=threads, encoder=plan.encoder) for rung in rungs]
    _encode(encoders, plan, pictures, threads, leash)
    return [encoder.finish() for encoder in encoders]


def _encode(
    encoders: Sequence[RungEncoder],
    plan: EncodingPlan,
    pictures: Iterable[tuple[int, VideoFrame | None]],
    threads: int,
    leash: Unbound,
) -> None:
    wanted = {encoder.rung.name: encoder for encoder in encoders}
    steps = _steps(cascade(plan.report.video, plan.rungs, threads), set(wanted))
    for number, frame in pictures:
        leash.check()
        made: dict[str | None, VideoFrame] = {}
        for name, above, scaler in steps:
            if frame is not None:
                made[name] = scaler.convert(made.get(above, frame))
            if (encoder := wanted.get(name)) is not None:
                encoder.add(number, made[name] if name in made else black(encoder.rung.width, encoder.rung.height))


def _steps(
    chosen: Mapping[str, tuple[str | None, Converter]], wanted: set[str]
) -> list[tuple[str, str | None, Converter]]:
    """The conversions that the wanted rungs need, in order."""
    needed: set[str | None] = set(wanted)
    for name, (above, _) in reversed(list(chosen.items())):
        if name in needed:
            needed.add(above)
    return [(name, above, scaler) for name, (above, scaler) in chosen.items() if name in needed]


def _smaller(
    path: Path, plan: EncodingPlan, rung: Rung, index: int, threads: int, leash: Unbound, level: int
) -> tuple[bytes, bytes, bytes]:
    """Init segment, media segment and parameter sets again, under a lower cap.

    What manifests declare is a promise: the rare segment that the encoder let grow past it is made again, smaller.
    """
    grid = grid_of(plan)
    start, end = grid.starts[index], grid.starts[index + 1]
    cap, made = 1.0, (b"", b"", b"")
    for _ in range(_TRIES):
        cap *= _TIGHTER
        encoder = RungEncoder(rung, grid, start, threads=threads, cap=cap, encoder=plan.encoder, level=level)
        frames = numbered_frames(path, plan.report.video, grid, start, threads, leash.check)
        _encode([encoder], plan, on_grid(frames, start, end), threads, leash)
        made = encoder.finish()
        if not _too_large(made[1], rung, grid, index):
            break
    return made


def _too_large(media: bytes, rung: Rung, grid: Grid, index: int) -> bool:
    frames = grid.starts[index + 1] - grid.starts[index]
    return len(media) * 8 > video_bandwidth(rung, grid) * frames / grid.rate


def black(width: int, height: int) -> VideoFrame:
    """A black picture in the encoder's format."""
    frame = av.VideoFrame(width, height, PIXEL_FORMAT)
    for number, plane in enumerate(frame.planes):
        plane.update(bytes([_BLACK[number]]) * plane.buffer_size)
    return frame
