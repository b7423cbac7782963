"""Small pictures for the seek bar, and larger ones for the title page, from one look at the film. Children only."""

from __future__ import annotations

import io
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from ottserver.media import Artwork
from ottserver.transcode.artwork import Contest
from ottserver.transcode.board import CANDIDATES, glanced, layout, places, rough, weighed
from ottserver.transcode.jpeg import jpeg, planes
from ottserver.transcode.keyframes import shown_at
from ottserver.transcode.picture import Converter
from ottserver.transcode.plan import grid_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from av.video.frame import VideoFrame

    from ottserver.media import Storyboard, VideoStream
    from ottserver.transcode.jpeg import Planes
    from ottserver.transcode.models import EncodingPlan, Rung

    Made = Iterator[tuple[dict[str, Any], bytes]]

_QUANTISER = 5
_SECONDS = 60.0
# What is not made by then holds the picture before: well within the time that a job is given.


class NothingShown(Exception):
    """No picture of the film could be decoded."""


def glance(path: Path, plan: EncodingPlan) -> Made:
    """A sheet or two for the whole of a film, named "glance/0.jpg" on, with its artwork; as `storyboard`."""
    yield from _drawn(path, plan, rough(plan), artwork=True)


def storyboard(path: Path, plan: EncodingPlan) -> Made:
    """Sheets named "storyboard/0.jpg" on, pictures such as "poster-0.jpg", and what there is as the result.

    The artwork of a film that is glanced at comes with that. Raises `NothingShown`.
    """
    yield from _drawn(path, plan, layout(plan), artwork=not glanced(plan))


def _drawn(path: Path, plan: EncodingPlan, board: Storyboard, *, artwork: bool) -> Made:
    grid, contest = grid_of(plan), Contest(plan.report.video)
    converter = Converter(plan.report.video, board.tile_width, board.tile_height, 1)
    length = grid.frames / grid.rate
    frames = places(plan, board)
    wanted = {round(number * (board.tiles - 1) / (CANDIDATES - 1)) for number in range(CANDIDATES)}
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
    result = {"storyboard": asdict(weighed(board, peak))}
    if artwork:
        result["artwork"] = yield from _chosen(contest, length)
    yield {"result": result}, b""


def _chosen(contest: Contest, length: Fraction) -> Generator[tuple[dict[str, Any], bytes], None, dict[str, Any]]:
    """The pictures of a film of so many seconds; returns its `Artwork`."""
    shares, backdrop, pictures = contest.chosen()
    for name, picture in pictures:
        yield {"picture": name}, picture
    return asdict(Artwork(tuple(round(share * float(length), 3) for share in shares), 0, backdrop))


def sheet_of_segments(plan: EncodingPlan, board: Storyboard, number: int, init: Path, segments: Sequence[Path]) -> Made:
    """Sheet `number` of a storyboard, each tile from the first picture of a segment; the others are not decoded.

    `init` is the segments' init segment. A tile whose segment cannot be decoded holds the one before, or the next.
    Raises `NothingShown`.
    """
    head, drawn = init.read_bytes(), dict[Path, "Planes | None"]()
    rung = min(plan.rungs, key=lambda rung: rung.width * rung.height)
    converter = Converter(_as_made(plan, rung), board.tile_width, board.tile_height, 1)
    for path in segments:
        if path not in drawn:
            frame = _first_picture(head + path.read_bytes())
            drawn[path] = None if frame is None else planes(converter.convert(frame))
    seen = {place: tile for place, path in enumerate(segments) if (tile := drawn[path]) is not None}
    if not seen:
        message = "no picture of the segments can be decoded"
        raise NothingShown(message)
    tiles = [seen[place] for place in _held({place: place for place in seen}, len(segments))]
    yield {"extra": f"{board.folder}/{number}.jpg"}, _sheet(board, tiles)


def artwork_of_segments(plan: EncodingPlan, rung: Rung, init: Path, segments: Sequence[tuple[int, Path]]) -> Made:
    """Pictures for the title page, of the first ones of these segments (index, path), and `artwork` as the result."""
    grid, head, contest = grid_of(plan), init.read_bytes(), Contest(_as_made(plan, rung))
    for index, path in segments:
        if (frame := _first_picture(head + path.read_bytes())) is not None:
            contest.add(grid.starts[index] / grid.frames, frame)
    yield {"result": {"artwork": (yield from _chosen(contest, grid.frames / grid.rate))}}, b""


def _as_made(plan: EncodingPlan, rung: Rung) -> VideoStream:
    """The pictures of a rung, as those of a source are described."""
    return replace(
        plan.report.video,
        width=rung.width,
        height=rung.height,
        sample_aspect="1/1",
        rotation=0,
        interlaced=False,
        color_primaries="bt709",
        color_transfer="bt709",
        color_space="bt709",
        color_range="tv",
    )


def _first_picture(data: bytes) -> VideoFrame | None:
    try:
        with av.open(io.BytesIO(data), "r", format="mp4") as container:
            packet = next(container.demux(container.streams.video[0]))
            # Asked for what it holds back, the decoder gives the one picture it has.
            frames = [*packet.stream.codec_context.decode(packet), *packet.stream.codec_context.decode(None)]
    except (av.error.FFmpegError, IndexError, StopIteration):
        return None
    return frames[0] if frames else None


def _held(shown: dict[int, int], tiles: int) -> Iterator[int]:
    """For every tile the timestamp of its picture, of the one before it, or, at the beginning, of the first."""
    held = shown[min(shown)]
    for tile in range(tiles):
        held = shown.get(tile, held)
        yield held


def _sheets(board: Storyboard, tiles: list[Planes]) -> Iterator[bytes]:
    size = board.columns * board.rows
    for first in range(0, board.tiles, size):
        yield _sheet(board, tiles[first : first + size])


def _sheet(board: Storyboard, tiles: list[Planes]) -> bytes:
    width, height = board.tile_width, board.tile_height
    # What is empty is black, in limited range.
    sheet = [
        np.full((height * board.rows // half, width * board.columns // half), level, np.uint8)
        for half, level in ((1, 16), (2, 128), (2, 128))
    ]
    for place, tile in enumerate(tiles):
        row, column = divmod(place, board.columns)
        for plane, part in zip(sheet, tile, strict=True):
            down, across = part.shape
            plane[row * down : (row + 1) * down, column * across : (column + 1) * across] = part
    return jpeg((sheet[0], sheet[1], sheet[2]), quantiser=_QUANTISER)
