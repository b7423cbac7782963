"""From a decoded frame to what the encoder takes: size, upright, BT.709 limited range, 8 bit 4:2:0. Children only."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from av.filter import Graph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from av.filter.context import FilterContext
    from av.video.frame import VideoFrame

    from ottserver.media import VideoStream
    from ottserver.transcode.models import Rung

PIXEL_FORMAT = "yuv420p"
BT709 = 1
LIMITED, FULL = 1, 2

_MATRIX = {1: "bt709", 4: "fcc", 5: "bt470", 6: "smpte170m", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
_RGB = 0
_SD_HEIGHT, _SD_WIDTH = 576, 1024
_TURN = {0: "", 90: "transpose=clock", 180: "hflip,vflip", 270: "transpose=cclock"}
_HDR = {"smpte2084", "arib-std-b67"}


@lru_cache(maxsize=16)
def converter(video: VideoStream, width: int, height: int, threads: int) -> Converter:
    """The converter of a source to a size, kept for the next segments: tone mapping takes seconds to prepare."""
    return Converter(video, width, height, threads)


def cascade(video: VideoStream, rungs: Sequence[Rung], threads: int) -> dict[str, tuple[str | None, Converter]]:
    """For each rung, highest first, what its pictures are made from: the rung above it, or the source, and how.

    Scaling in steps takes two thirds of the time. Which steps a rung is made in does not depend on which others are
    made with it, so a segment is the same whoever makes it. High dynamic range is brought down at each rung's own size.
    """
    chosen: dict[str, tuple[str | None, Converter]] = {}
    above: str | None = None
    plain = replace(video, rotation=0, color_transfer="bt709", color_primaries="bt709")
    for rung in sorted(rungs, key=lambda rung: -rung.width * rung.height):
        source = video if above is None else plain
        chosen[rung.name] = above, converter(source, rung.width, rung.height, threads)
        if not _is_wide(video):
            above = rung.name
    return chosen


def _is_wide(video: VideoStream) -> bool:
    return video.color_transfer in _HDR or video.color_primaries == "bt2020"


class Converter:
    """Scales and converts frames of one source to one size; rebuilt by itself when the source changes its own."""

    def __init__(self, video: VideoStream, width: int, height: int, threads: int) -> None:
        """Convert to `width` x `height` pixels, upright."""
        self._video = video
        self._turned = video.rotation in (90, 270)
        self._size = (height, width) if self._turned else (width, height)
        self._threads = threads
        self._shape: tuple[object, ...] | None = None
        self._graph: Graph | None = None
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
        graph.vpush(frame)
        converted = graph.vpull()
        self._graph, self._shape, self._last = graph, shape, (frame, converted)
        return converted

    def _build(self, frame: VideoFrame) -> Graph:
        graph = Graph()
        graph.threads = self._threads
        chain: list[FilterContext] = [
            graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
        ]
        steps = [f"scale={self._scale(frame)}", f"format={PIXEL_FORMAT}", *_TURN[self._video.rotation].split(",")]
        for step in filter(None, steps):
            name, _, arguments = step.partition("=")
            chain.append(graph.add(name, arguments or None))
        graph.link_nodes(*chain, graph.add("buffersink")).configure()
        return graph

    def _scale(self, frame: VideoFrame) -> str:
        width, height = self._size
        options = [f"{width}:{height}", "flags=bicubic", "out_color_matrix=bt709", "out_range=limited"]
        full = frame.color_range == FULL or frame.format.name.startswith("yuvj") or frame.format.is_rgb
        options.append(f"in_range={'full' if full else 'limited'}")
        if frame.colorspace != _RGB and not frame.format.is_rgb:
            small = frame.height <= _SD_HEIGHT and frame.width <= _SD_WIDTH
            options.append(f"in_color_matrix={_MATRIX.get(frame.colorspace, 'smpte170m' if small else 'bt709')}")
        if _is_wide(self._video):
            transfer = self._video.color_transfer if self._video.color_transfer in _HDR else "bt709"
            options.append(f"in_primaries=bt2020:in_transfer={transfer}")
            options.append("out_primaries=bt709:out_transfer=bt709:intent=perceptual")
        return ":".join(options)
