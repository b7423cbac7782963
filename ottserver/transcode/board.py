"""Which pictures the seek bar of a film gets, and what they are taken from. Pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING

from ottserver.media import Storyboard
from ottserver.transcode.ladder import display_size
from ottserver.transcode.plan import grid_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ottserver.transcode.models import EncodingPlan

_INTERVALS = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 60, 120, 300, 600, 1800)
_MOST_TILES = 500
_ROUGH_TILES = 64
_LONG_SECONDS = 600.0
# Some hundred pictures for the seek bar take seconds. Of a longer film some sixty, and the artwork, come first.
_SIDE = 8
# Tiles along each side of a sheet.
_TILE_PIXELS = 256 * 144
_MOST_WIDTH, _MOST_HEIGHT = 320, 256
PICTURES = 10
"""As many are offered for a title page, where the film has so many that differ."""
CANDIDATES = 60
"""As many are looked at for that."""
BACKDROP_WIDTH = 1280


@dataclass(frozen=True, slots=True)
class FromSegments:
    """A storyboard whose pictures are the first ones of segments of a rung."""

    board: Storyboard
    rung: str
    segments: tuple[int, ...]
    """For every tile the segment that begins nearest to its place."""
    large: str
    """The least rung whose pictures are fit for a title page; else the largest."""

    def candidates(self) -> tuple[int, ...]:
        """Segments of the large rung whose first pictures may be chosen for the title page."""
        most = len(self.segments) - 1
        return tuple(dict.fromkeys(self.segments[round(n * most / (CANDIDATES - 1))] for n in range(CANDIDATES)))


def layout(plan: EncodingPlan, most: int = _MOST_TILES) -> Storyboard:
    """How many tiles a film gets, and of which size."""
    grid = grid_of(plan)
    seconds = grid.frames / grid.rate
    interval = next((step for step in _INTERVALS if seconds <= step * most), _INTERVALS[-1])
    tiles = max(1, -(-seconds // interval))
    width, height = display_size(plan.report.video)
    shrunk: float = min(
        1.0, sqrt(_TILE_PIXELS / (width * height)), float(_MOST_WIDTH / width), float(_MOST_HEIGHT / height)
    )
    columns = min(_SIDE, tiles)
    return Storyboard(
        interval=float(interval),
        tiles=tiles,
        columns=columns,
        rows=min(_SIDE, -(-tiles // columns)),
        tile_width=max(2, 2 * round(float(width) * shrunk / 2)),
        tile_height=max(2, 2 * round(float(height) * shrunk / 2)),
        bandwidth=0,
    )


def rough(plan: EncodingPlan) -> Storyboard:
    """The layout of the first, rough storyboard, which has to be there at once."""
    return replace(layout(plan, _ROUGH_TILES), folder="glance")


def weighed(board: Storyboard, peak: int) -> Storyboard:
    """The storyboard with the bit rate that its largest sheet, of `peak` bytes, makes."""
    return replace(board, bandwidth=round(8 * peak / (board.interval * min(board.tiles, board.columns * board.rows))))


def places(plan: EncodingPlan, board: Storyboard) -> list[int]:
    """The frame of the grid that each tile stands for."""
    rate = grid_of(plan).rate
    return [int(Fraction(board.interval) * tile * rate) for tile in range(board.tiles)]


def from_segments(plan: EncodingPlan) -> FromSegments | None:
    """The storyboard that segments of the lowest rung give, where they show more of the film than its key frames do.

    Segments that begin at the source's key frames do not. Where key frames are not known they are taken for frequent:
    only large files without an index have none, and those are broadcasts.
    """
    keys = plan.report.video.keys
    if not plan.rungs or not keys:
        return None
    board, starts = layout(plan), grid_of(plan).starts[:-1]
    frames = places(plan, board)
    segments = tuple(_nearest(starts, frame) for frame in frames)
    if len(set(segments)) <= len({bisect_right(keys, frame) for frame in frames}):
        return None
    rungs = sorted(plan.rungs, key=lambda rung: rung.width * rung.height)
    large = next((rung for rung in rungs if max(rung.width, rung.height) >= BACKDROP_WIDTH), rungs[-1])
    return FromSegments(board, rungs[0].name, segments, large.name)


def _nearest(starts: Sequence[int], frame: int) -> int:
    """Which of the ascending starts is nearest; the earlier one of two. The first one is 0."""
    before = bisect_right(starts, frame) - 1
    after = min(before + 1, len(starts) - 1)
    return after if starts[after] - frame < frame - starts[before] and starts[after] > frame else before


def glanced(plan: EncodingPlan) -> bool:
    """Whether the film gets a rough storyboard first, and its artwork with that: the other one takes longer."""
    return plan.report.duration_seconds > _LONG_SECONDS or from_segments(plan) is not None
