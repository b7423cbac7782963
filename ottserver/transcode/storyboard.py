"""Small pictures for the seek bar, and larger ones for the title page, from one look at the film. Children only."""

from __future__ import annotations

from dataclasses import asdict, replace
from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from ottserver.media import Artwork, Storyboard
from ottserver.transcode.artwork import Contest
from ottserver.transcode.errands import glanced
from ottserver.transcode.jpeg import jpeg, planes
from ottserver.transcode.keyframes import shown_at
from ottserver.transcode.ladder import display_size
from ottserver.transcode.picture import Converter
from ottserver.transcode.plan import grid_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ottserver.transcode.jpeg import Planes
    from ottserver.transcode.models import EncodingPlan

    Made = Iterator[tuple[dict[str, Any], bytes]]

_INTERVALS = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 60, 120, 300, 600, 1800)
_MOST_TILES = 500
_GLANCE_TILES = 64
_SIDE = 8
# Tiles along each side of a sheet.
_TILE_PIXELS = 256 * 144
_MOST_WIDTH, _MOST_HEIGHT = 320, 256
_QUANTISER = 5
_CANDIDATES = 60
_SECONDS = 60.0
# What is not made by then holds the picture before: well within the time that a job is given.


class NothingShown(Exception):
    """No picture of the film could be decoded."""


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


def glance(path: Path, plan: EncodingPlan) -> Made:
    """A sheet or two for the whole of a long film, named "glance/0.jpg" on, with its artwork; as `storyboard`."""
    yield from _drawn(path, plan, replace(layout(plan, _GLANCE_TILES), folder="glance"), artwork=True)


def storyboard(path: Path, plan: EncodingPlan) -> Made:
    """Sheets named "storyboard/0.jpg" on, pictures such as "poster-0.jpg", and what there is as the result.

    The artwork of a long film comes with its glance. Raises `NothingShown`.
    """
    yield from _drawn(path, plan, layout(plan), artwork=not glanced(plan))


def _drawn(path: Path, plan: EncodingPlan, board: Storyboard, *, artwork: bool) -> Made:
    grid, contest = grid_of(plan), Contest(plan.report.video)
    converter = Converter(plan.report.video, board.tile_width, board.tile_height, 1)
    length = grid.frames / grid.rate
    frames = [int(Fraction(board.interval) * tile * grid.rate) for tile in range(board.tiles)]
    wanted = {round(number * (board.tiles - 1) / (_CANDIDATES - 1)) for number in range(_CANDIDATES)}
    tiles: dict[int, Planes] = {}
    shown: dict[int, int] = {}
    for place, stamp, frame in shown_at(path, plan, frames, seconds=_SECONDS):
        shown[place] = stamp
        if frame is None:
            continue
        if artwork and place in wanted:
            contest.add(float(place * Fraction(board.interval) / length), frame)
        if stamp not in tiles:
            tiles[stamp] = planes(converter.convert(frame))
    if not shown:
        message = "no picture of the film can be decoded"
        raise NothingShown(message)
    peak = 0
    for number, sheet in enumerate(_sheets(board, [tiles[stamp] for stamp in _held(shown, board.tiles)])):
        peak = max(peak, len(sheet))
        yield {"extra": f"{board.folder}/{number}.jpg"}, sheet
    bits = 8 * peak / (board.interval * min(board.tiles, board.columns * board.rows))
    result = {"storyboard": asdict(replace(board, bandwidth=round(bits)))}
    if artwork:
        shares, backdrop, pictures = contest.chosen()
        for name, picture in pictures:
            yield {"picture": name}, picture
        seconds = tuple(round(share * float(length), 3) for share in shares)
        result["artwork"] = asdict(Artwork(seconds, 0, backdrop))
    yield {"result": result}, b""


def _held(shown: dict[int, int], tiles: int) -> Iterator[int]:
    """For every tile the timestamp of its picture, of the one before it, or, at the beginning, of the first."""
    held = shown[min(shown)]
    for tile in range(tiles):
        held = shown.get(tile, held)
        yield held


def _sheets(board: Storyboard, tiles: list[Planes]) -> Iterator[bytes]:
    width, height, size = board.tile_width, board.tile_height, board.columns * board.rows
    for first in range(0, board.tiles, size):
        # What is empty is black, in limited range.
        sheet = [
            np.full((height * board.rows // half, width * board.columns // half), level, np.uint8)
            for half, level in ((1, 16), (2, 128), (2, 128))
        ]
        for place, tile in enumerate(tiles[first : first + size]):
            row, column = divmod(place, board.columns)
            for plane, part in zip(sheet, tile, strict=True):
                down, across = part.shape
                plane[row * down : (row + 1) * down, column * across : (column + 1) * across] = part
        yield jpeg((sheet[0], sheet[1], sheet[2]), quantiser=_QUANTISER)
