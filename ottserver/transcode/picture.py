"""From a decoded frame to what the encoder takes: size, upright, BT.709 limited range, 8 bit 4:2:0. Children only."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from ottserver.transcode.lut import HLG, NOMINAL_PEAK, PQ, SIDE, cube, needs_cube

if TYPE_CHECKING:
    from collections.abc import Sequence

    from av.filter.context import FilterContext

    from ottserver.media import VideoStream
    from ottserver.transcode.models import Rung

PIXEL_FORMAT = "yuv420p"
BT709 = 1
LIMITED, FULL = 1, 2

_MATRIX = {1: "bt709", 4: "fcc", 5: "bt470", 6: "smpte170m", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
_RGB = 0
_FAST, _EXACT = "bicubic", "bicubic+accurate_rnd"
# The first gives grey a tint where the matrix changes.
_AS_SHOWN = "out_color_matrix=bt709:out_range=limited"
_SHALLOW = 8
_TICK = Fraction(1, 1000)
_SD_HEIGHT, _SD_WIDTH = 576, 1024
_TURN = {0: "", 90: "transpose=clock", 180: "hflip,vflip", 270: "transpose=cclock"}
_DEEP = "gbrpf32le"
# In which colours are looked up in a cube. Integers are no faster, and FFmpeg 8.1 takes their planes for each other.


@lru_cache(maxsize=16)
def converter(video: VideoStream, width: int, height: int, threads: int) -> Converter:
    """The converter of a source to a size, kept for the next segments: a cube of colours takes a while to prepare."""
    return Converter(video, width, height, threads)


def cascade(video: VideoStream, rungs: Sequence[Rung], threads: int) -> dict[str, tuple[str | None, Converter]]:
    """For each rung, highest first, what its pictures are made from: the rung above it, or the source, and how.

    Scaling in steps takes two thirds of the time. Which steps a rung is made in does not depend on which others are
    made with it, so a segment is the same whoever makes it. Colours that are not of BT.709 are converted at each rung's
    own size: a low rung alone, which a player waits for, would take four times as long after the highest.
    """
    chosen: dict[str, tuple[str | None, Converter]] = {}
    above: str | None = None
    plain = replace(video, rotation=0, color_transfer="bt709", color_primaries="bt709")
    for rung in sorted(rungs, key=lambda rung: -rung.width * rung.height):
        source = video if above is None else plain
        chosen[rung.name] = above, converter(source, rung.width, rung.height, threads)
        if not _is_foreign(video):
            above = rung.name
    return chosen


def _is_foreign(video: VideoStream) -> bool:
    return needs_cube(video.color_primaries, video.color_transfer)


class Converter:
    """Scales and converts frames of one source to one size; rebuilt by itself when the source changes its own."""

    def __init__(self, video: VideoStream, width: int, height: int, threads: int) -> None:
        """Convert to `width` x `height` pixels, upright."""
        self._video = video
        self._turned = video.rotation in (90, 270)
        self._size = (height, width) if self._turned else (width, height)
        self._threads = threads
        self._shape: tuple[object, ...] | None = None
        self._graph: tuple[Graph, FilterContext] | None = None
        self._last: tuple[VideoFrame, VideoFrame] | None = None

    def convert(self, frame: VideoFrame) -> VideoFrame:
        """The converted frame; the same object again for the same frame, which a held picture gives many times."""
        if self._last is not None and self._last[0] is frame:
            return self._last[1]
        shape = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
        graph = self._graph if shape == self._shape else None
        # Forgotten until it has worked: a graph that failed is not used again.
        self._graph, self._last = None, None
        graph = graph or self._build(frame)
        graph[1].push(frame)
        converted = graph[0].vpull()
        self._graph, self._shape, self._last = graph, shape, (frame, converted)
        return converted

    def _build(self, frame: VideoFrame) -> tuple[Graph, FilterContext]:
        """The filters, and the place where frames go in."""
        graph = Graph()
        graph.threads = self._threads
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        start = source
        if _is_grey(frame):
            # The scaler takes grey for full range whatever it is told: its codes become luma as they are.
            coloured = PIXEL_FORMAT if frame.format.components[0].bits == _SHALLOW else "yuv420p10le"
            start = _chain(graph, source, f"scale=in_range=full:out_range=full,format={coloured}")
        turn = _TURN[self._video.rotation]
        table: FilterContext | None = None
        if not _is_foreign(self._video):
            last = _chain(graph, start, f"scale={self._scale(frame)}:{_AS_SHOWN}", f"format={PIXEL_FORMAT}", turn)
        else:
            # Frames are counted, since the filter with two inputs goes by their times, which some have not.
            deep = _chain(graph, start, f"scale={self._scale(frame)}:out_range=full", f"format={_DEEP}", "setpts=N")
            table = graph.add_buffer(width=SIDE, height=SIDE, format=VideoFormat(_DEEP, SIDE, SIDE), time_base=_TICK)
            looked_up = graph.add("haldclut", "clut=first")
            deep.link_to(looked_up, 0, 0)
            table.link_to(looked_up, 0, 1)
            last = _chain(graph, looked_up, f"scale=flags={_EXACT}:{_AS_SHOWN}", f"format={PIXEL_FORMAT}", turn)
        last.link_to(graph.add("buffersink"))
        graph.configure()
        if table is not None:
            table.push(self._cube(frame))
            table.push(None)
        return graph, source

    def _cube(self, frame: VideoFrame) -> VideoFrame:
        video = self._video
        bits = frame.format.components[0].bits if _is_full(frame) else _SHALLOW
        colours = cube(video.color_primaries, video.color_transfer, video.peak or NOMINAL_PEAK, bits)
        table = VideoFrame.from_ndarray(colours, format=_DEEP)
        # Before all others.
        table.pts, table.time_base = -1, _TICK
        return table

    def _scale(self, frame: VideoFrame) -> str:
        width, height = self._size
        matrix = "bt709" if _is_grey(frame) else _MATRIX.get(frame.colorspace, self._guessed(frame))
        options = [f"{width}:{height}", f"in_range={'full' if _is_full(frame) else 'limited'}"]
        options.append(f"flags={_FAST if matrix == 'bt709' and not _is_foreign(self._video) else _EXACT}")
        if frame.colorspace != _RGB and not frame.format.is_rgb:
            options.append(f"in_color_matrix={matrix}")
        return ":".join(options)

    def _guessed(self, frame: VideoFrame) -> str:
        """The matrix of a source that does not say it."""
        if self._video.color_primaries == "bt2020" or self._video.color_transfer in {PQ, HLG}:
            return "bt2020"
        small = frame.height <= _SD_HEIGHT and frame.width <= _SD_WIDTH
        return "smpte170m" if small else "bt709"


def _is_full(frame: VideoFrame) -> bool:
    return frame.color_range == FULL or frame.format.name.startswith("yuvj") or frame.format.is_rgb


def _is_grey(frame: VideoFrame) -> bool:
    return frame.format.name.startswith("gray")


def _chain(graph: Graph, last: FilterContext, *steps: str) -> FilterContext:
    """Adds filters, written as FFmpeg's graphs are, one after another; the last of them."""
    for step in filter(None, ",".join(steps).split(",")):
        name, _, arguments = step.partition("=")
        following = graph.add(name, arguments or None)
        last.link_to(following)
        last = following
    return last
