"""Pictures of a source from any place on, in the order in which they are shown, numbered on the grid. Children only."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.filter import Graph

from ottserver.backends.ffmpeg.losses import Losses, marked
from ottserver.backends.ffmpeg.sourcefile import open_source, packets, seek
from ottserver.transcode.landing import landed
from ottserver.transcode.whole import PATIENCE_SECONDS, WholePictures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream as Demuxed

    from ottserver.media import VideoStream
    from ottserver.transcode.grid import Grid

    Numbered = tuple[int, VideoFrame]

_BACK_OFF_SECONDS = (0.0, 0.7, 2.0, 5.0, 12.0, 30.0, 90.0)
# A backward seek may land after the target; then it is tried again from further back.
_DEINTERLACER_LEAD = 3
_PLAIN_REFERENCES = ("h264", "mpeg2video", "mpeg4")
# Codecs in which a picture that is marked as no reference is referred to by none, whatever its temporal layer.
_MOST_REORDERED = 32
_LOOK_AHEAD_PACKETS = 3000


def _go_on() -> None:
    """Nothing is to end it."""


class _Late(Exception):
    """The seek landed after the picture that is wanted."""


def numbered_frames(
    path: Path, video: VideoStream, grid: Grid, first: int, threads: int, check: Callable[[], None] = _go_on
) -> Iterator[Numbered]:
    """Frames with their numbers on the grid, from one at or before frame `first` (where the source has one) to the end.

    `check` is called for every packet, also on the way to the first frame, and may raise what is to end it. Interlaced
    frames come deinterlaced. Raises `av.error.FFmpegError` or `OSError` when the file cannot be read.
    """
    lead = _DEINTERLACER_LEAD if video.interlaced else 0
    frames = _from(path, video, grid, max(0, first - lead), threads, check)
    return _deinterlaced(frames, grid.rate) if video.interlaced else frames


def _from(
    path: Path, video: VideoStream, grid: Grid, first: int, threads: int, check: Callable[[], None]
) -> Iterator[Numbered]:
    def attempt(seconds: float | Fraction) -> Iterator[Numbered]:
        return _attempt(path, video, grid, first, round(seconds * grid.rate), threads, check)

    return landed(attempt, _BACK_OFF_SECONDS, first / grid.rate, lambda: _from_start(path, video, grid, threads, check))


def _attempt(
    path: Path, video: VideoStream, grid: Grid, first: int, back: int, threads: int, check: Callable[[], None]
) -> Iterator[Numbered]:
    """The frames from `back` frames before `first` on, or none where the first of them is after `first`."""
    with open_source(path) as container:
        stream = _stream(container, video, threads)
        time_base = Fraction(video.time_base)
        target = grid.ticks_of(first, video.origin, time_base)
        try:
            seek(path, container, stream, target, back=target - grid.ticks_of(first - back, video.origin, time_base))
            frames = _decoded(path, container, stream, video, grid, first, check=check)
            head = next(frames, None)
        except (_Late, av.error.PermissionError):
            # Some demuxers refuse to seek where they have no index.
            return
        if head is not None and head[0] <= first:
            yield head
            yield from frames


def _from_start(
    path: Path, video: VideoStream, grid: Grid, threads: int, check: Callable[[], None]
) -> Iterator[Numbered]:
    for patient in (True, False):
        with open_source(path) as container:
            stream = _stream(container, video, threads)
            frames = _decoded(path, container, stream, video, grid, None, check=check, patient=patient)
            head = next(frames, None)
            if head is not None and (not patient or head[0] <= PATIENCE_SECONDS * grid.rate):
                yield head
                yield from frames
                return


def _stream(container: InputContainer, video: VideoStream, threads: int) -> Demuxed:
    stream: Demuxed = container.streams[video.index]  # type: ignore[assignment] # the probe saw video at this index
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = threads
    return stream


def _decoded(
    path: Path,
    container: InputContainer,
    stream: Demuxed,
    video: VideoStream,
    grid: Grid,
    first: int | None,
    *,
    check: Callable[[], None],
    patient: bool = True,
) -> Iterator[Numbered]:
    time_base = Fraction(video.time_base)

    def number(stamp: int) -> int:
        return grid.frame_at(stamp, video.origin, time_base)

    marks, coming = marked(_checked(packets(container, stream), check))
    if first is not None and video.codec in _PLAIN_REFERENCES:
        coming = _hurried(coming, stream, lambda stamp: number(stamp) <= first)
    with path.open("rb", buffering=0) as file:
        losses = Losses(container, stream, file.fileno(), marks=marks)
        pictures = WholePictures(stream, losses, number, grid.rate, patient=patient)
        yield from pictures.read(coming if first is None else _not_after(coming, lambda stamp: number(stamp) <= first))


def _checked(coming: Iterator[Packet[Stream]], check: Callable[[], None]) -> Iterator[Packet[Stream]]:
    for packet in coming:
        check()
        yield packet


def _not_after(coming: Iterator[Packet[Stream]], before: Callable[[int], bool]) -> Iterator[Packet[Stream]]:
    """The packets. Raises `_Late` when already the first key picture is after the picture that is wanted."""
    keyed = False
    for packet in coming:
        if not keyed and packet.is_keyframe:
            keyed = True
            shown = packet.dts if packet.pts is None else packet.pts
            if shown is not None and not before(shown):
                raise _Late
        yield packet


def _hurried(
    coming: Iterator[Packet[Stream]], stream: Demuxed, before: Callable[[int], bool]
) -> Iterator[Packet[Stream]]:
    """The packets, with the decoder told to leave out pictures that are neither shown nor referred to.

    `before` tells whether a timestamp is at or before the first frame wanted; the last such picture is shown, those
    before it are not. So the middle of a long group of pictures is reached sooner.
    """
    head: list[Packet[Stream]] = []
    after = 0
    for packet in coming:
        head.append(packet)
        if packet.pts is None or len(head) > _LOOK_AHEAD_PACKETS:
            yield from head
            yield from coming
            return
        after += not before(packet.pts)
        if after > _MOST_REORDERED:
            break
    shown = max((packet.pts for packet in head if packet.pts is not None and before(packet.pts)), default=0)
    for packet in head:
        needless = packet.pts is not None and packet.pts < shown
        stream.codec_context.skip_frame = "NONREF" if needless else "DEFAULT"
        yield packet
    yield from coming


def _deinterlaced(frames: Iterator[Numbered], rate: Fraction) -> Iterator[Numbered]:
    graph: Graph | None = None
    shape: tuple[int, int, str] | None = None
    for number, frame in frames:
        if graph is None or shape != (frame.width, frame.height, frame.format.name):
            if graph is not None:
                yield from _drained(graph, rate)
            shape = (frame.width, frame.height, frame.format.name)
            graph = _bwdif(frame, rate)
        frame.pts, frame.time_base = number, 1 / rate
        graph.vpush(frame)
        yield from _pulled(graph, rate)
    if graph is not None:
        yield from _drained(graph, rate)


def deinterlaced_picture(frame: VideoFrame) -> VideoFrame:
    """A picture that has no neighbours, with its second field made from the first."""
    pts, rate = frame.pts, Fraction(25)
    graph = _bwdif(frame, rate)
    frame.pts, frame.time_base = 0, 1 / rate
    graph.vpush(frame)
    whole = next((picture for _, picture in _drained(graph, rate)), frame)
    frame.pts = pts
    return whole


def _bwdif(frame: VideoFrame, rate: Fraction) -> Graph:
    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=1 / rate)
    deinterlacer = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    graph.link_nodes(source, deinterlacer, graph.add("buffersink")).configure()
    return graph


def _drained(graph: Graph, rate: Fraction) -> Iterator[Numbered]:
    graph.vpush(None)
    yield from _pulled(graph, rate)


def _pulled(graph: Graph, rate: Fraction) -> Iterator[Numbered]:
    while True:
        try:
            frame = graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        # The filter counts in half frames.
        halves = frame.time_base or Fraction(1)
        yield round((frame.pts or 0) * halves * rate), frame
