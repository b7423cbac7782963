"""Whether the source's own packets are played, as the ladder's top rung or as an original beside it. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING

from ottserver.media import BROWSER_AVC_PROFILES
from ottserver.transcode.grid import nearest
from ottserver.transcode.ladder import display_size
from ottserver.transcode.models import Copy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from ottserver.media import VideoStream
    from ottserver.transcode.models import LadderStep, Rung

LONGEST_SECONDS = 6
"""Segments that all rungs share are no longer: a player could change its rung, and a viewer seek, too seldom."""
_LONGEST_ORIGINAL_SECONDS = 30
_MAX_SLICE_BYTES = 64 << 20
_MOST_REORDERED = 16
_TOP_LEVEL = 0x34
# 5.2: what browsers decode of 2160p.
_AVERAGE_SHARE, _PEAK_SHARE = 2, 4
# Of its class's cap a rung may take so much, over the whole film and in its worst segment: more would be a burden.
_BYTES_PER_FRAME = 48
# Boxes, and lengths where a transport stream has shorter start codes.
_BYTES_PER_SLICE = 1024
_HIGH_RANGE = ("smpte2084", "arib-std-b67")


@dataclass(frozen=True, slots=True)
class Passthrough:
    """What becomes of a plan when its source is played as it is."""

    rungs: tuple[Rung, ...]
    """Those that are still encoded."""
    copies: tuple[Copy, ...] = ()
    cuts: tuple[int, ...] | None = None
    """Boundaries for every rung, where the source's own packets are one."""


def passthrough(
    video: VideoStream, rungs: tuple[Rung, ...], steps: tuple[LadderStep, ...], seconds: tuple[float, ...]
) -> Passthrough:
    """The source as the ladder's top rung where it fits in, as the original beside the ladder where it can be cut.

    `seconds` are the lengths wanted of segments; those of a copy are as near to them as the key frames allow.
    """
    if not (video.codecs and video.closed and video.steady and video.keys[:1] == (0,)):
        return Passthrough(rungs)
    if video.interlaced or video.rotation or video.reorder > _MOST_REORDERED:
        return Passthrough(rungs)
    if (cuts := boundaries(video, seconds, LONGEST_SECONDS)) is not None and _is_rung(video, rungs[-1]):
        top = rungs[-1]
        copy = _copy(video, top.name, "ladder", top.height_class, cuts)
        if copy.average_bandwidth <= _AVERAGE_SHARE * top.maxrate and copy.bandwidth <= _PEAK_SHARE * top.maxrate:
            return Passthrough(rungs[:-1], (copy,), cuts)
    if (cuts := boundaries(video, seconds, _LONGEST_ORIGINAL_SECONDS)) is not None:
        return Passthrough(rungs, (_copy(video, "original", "original", _height_class(video, steps), cuts),))
    return Passthrough(rungs)


def boundaries(video: VideoStream, seconds: tuple[float, ...], longest: int) -> tuple[int, ...] | None:
    """First frames of all segments but the first, each a key frame; nothing when one would be too long.

    Lengths are as near to `seconds` as the keys allow, at most `longest` seconds and, where there is a choice, no less
    than half of what is wanted; a rest shorter than that is added to the last segment.
    """
    rate, keys = video.rate, video.keys
    most = int(longest * rate)
    cuts: list[int] = []
    at = 0
    while True:
        wanted = max(1, nearest(Fraction(seconds[min(len(cuts), len(seconds) - 1)]) * rate))
        if video.frames - at <= min(most, wanted + wanted // 2):
            break
        within = keys[bisect_right(keys, at) : bisect_right(keys, at + most)]
        good = within[bisect_left(within, at + ceil(wanted / 2)) :]
        if good:
            at = min(good, key=lambda key: (abs(key - at - wanted), key))
        elif video.frames - at <= most:
            break
        elif within:
            at = within[-1]
        else:
            return None
        cuts.append(at)
    return tuple(cuts) if _fits(video, cuts) else None


def _fits(video: VideoStream, cuts: Sequence[int]) -> bool:
    return all(size <= _MAX_SLICE_BYTES for size, _ in _slices(video, cuts))


def _slices(video: VideoStream, cuts: Sequence[int]) -> list[tuple[int, int]]:
    """Most bytes, and frames, of every segment."""
    starts = [0, *cuts, video.frames]
    sizes = []
    for start, end in pairwise(starts):
        first, after = bisect_left(video.keys, start), bisect_left(video.keys, end)
        frames = end - start
        sizes.append((sum(video.key_bytes[first:after]) + _BYTES_PER_FRAME * frames + _BYTES_PER_SLICE, frames))
    return sizes


def _is_rung(video: VideoStream, top: Rung) -> bool:
    """Whether every browser plays the source as it does the rung of the same size."""
    profile, level = video.codecs[5:7], video.codecs[9:11]
    return (
        video.codec == "h264"
        and profile in BROWSER_AVC_PROFILES
        and int(level, 16) <= _TOP_LEVEL
        and video.pixel_format == "yuv420p"
        and video.color_range != "pc"
        and video.color_transfer not in _HIGH_RANGE
        and Fraction(video.sample_aspect) == 1
        and (video.width, video.height) == (top.width, top.height)
    )


def _height_class(video: VideoStream, steps: tuple[LadderStep, ...]) -> int:
    width, height = display_size(video)
    long, short = max(width, height), min(width, height)
    heights = sorted(step.height for step in steps if long <= step.width and short <= step.height)
    return heights[0] if heights else max(step.height for step in steps)


def _copy(
    video: VideoStream, name: str, group: Literal["ladder", "original"], height_class: int, cuts: tuple[int, ...]
) -> Copy:
    width, height = display_size(video)
    slices = _slices(video, cuts)
    return Copy(
        name=name,
        group=group,
        width=nearest(width),
        height=nearest(height),
        height_class=height_class,
        codecs=video.codecs,
        cuts=cuts,
        bandwidth=max(ceil(8 * size * video.rate / frames) for size, frames in slices),
        average_bandwidth=ceil(8 * sum(size for size, _ in slices) * video.rate / video.frames),
    )
