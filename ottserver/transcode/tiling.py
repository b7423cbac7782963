"""How a film's storyboard is laid out, and whether its key frames are enough for it. Pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING

from ottserver.media import Storyboard
from ottserver.transcode.ladder import display_size
from ottserver.transcode.plan import grid_of

if TYPE_CHECKING:
    from ottserver.media import Presentation
    from ottserver.transcode.models import EncodingPlan

PICTURES = 10
"""As many are offered for a title page, where the film has so many that differ."""
_INTERVALS = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 60, 120, 300, 600, 1800)
_MOST_TILES = 500
_ROUGH_TILES = 64
_SIDE = 8
# Tiles along each side of a sheet.
_TILE_PIXELS = 256 * 144
_MOST_WIDTH, _MOST_HEIGHT = 320, 256
_LONG_SECONDS = 600.0
# Some hundred pictures for the seek bar take seconds. Of a longer film some sixty, and the artwork, come first.
_LARGE_WIDTH = 1280
# Pictures of this width are enough for a title page.


def layout(plan: EncodingPlan, most: int = _MOST_TILES) -> Storyboard:
    """How many tiles a film gets, at most so many, and of which size."""
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


def rough_layout(plan: EncodingPlan) -> Storyboard:
    """The same of the storyboard that comes first."""
    return layout(plan, _ROUGH_TILES)


def frames_of(plan: EncodingPlan, board: Storyboard) -> list[int]:
    """For each tile the number of the frame that it is to show."""
    rate = grid_of(plan).rate
    return [int(Fraction(board.interval) * tile * rate) for tile in range(board.tiles)]


def long(plan: EncodingPlan) -> bool:
    """Whether the storyboard takes so long that a rough one is worth having first."""
    return plan.report.duration_seconds > _LONG_SECONDS


def sparse(plan: EncodingPlan) -> bool:
    """Whether some tiles have no key frame of their own, and segments will be made that have.

    Where the key frames are not known they are taken for rare.
    """
    keys, frames = plan.report.video.keys, frames_of(plan, layout(plan))
    own = len({bisect_right(keys, frame) for frame in frames}) == len(frames)
    return bool(plan.rungs) and not (keys and own)


@dataclass(frozen=True, slots=True)
class Redrawing:
    """How a storyboard is drawn from segments that were made."""

    rendition: str
    width: int
    """Pixels."""
    height: int
    segments: tuple[int, ...]
    """For every tile the segment that it is in."""
    large: bool
    """Whether the pictures are fit for a title page."""


def redrawing(presentation: Presentation, plan: EncodingPlan) -> Redrawing | None:
    """From the least rendition that is made here, or of a short film the least that is large; nothing without any."""
    made = sorted((one for one in presentation.video if not one.copied), key=lambda one: one.width * one.height)
    large = not long(plan)
    enough = [one for one in made if max(one.width, one.height) >= _LARGE_WIDTH] or made[-1:]
    rendition = next(iter(enough if large else made), None)
    if rendition is None:
        return None
    board = layout(plan)
    segments = tuple(rendition.index_at(board.interval * tile) for tile in range(board.tiles))
    return Redrawing(rendition.name, rendition.width, rendition.height, segments, large)
