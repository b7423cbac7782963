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
from ottserver.transcode.jpeg import jpeg, planes
from ottserver.transcode.keyframes import shown_at
from ottserver.transcode.picture import Converter
from ottserver.transcode.plan import grid_of
from ottserver.transcode.tiling import frames_of, layout, long, rough_layout, sparse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ottserver.media import Storyboard, VideoStream
    from ottserver.transcode.jpeg import Planes
    from ottserver.transcode.keyframes import Shown
    from ottserver.transcode.models import EncodingPlan

    Made = Iterator[tuple[dict[str, Any], bytes]]

_QUANTISER = 5
_CANDIDATES = 60
_SECONDS = 60.0
# What is not made by then holds the picture before: well within the time that a job is given.


class NothingShown(Exception):
    """No picture of the film could be decoded."""


def glance(path: Path, plan: EncodingPlan) -> Made:
    """A sheet or two for the whole film, named "glance/0.jpg" on, with its artwork; as `storyboard`."""
    board = replace(rough_layout(plan), folder="glance")
    shown = shown_at(path, plan, frames_of(plan, board), seconds=_SECONDS)
    yield from _drawn(plan, board, shown, plan.report.video, artwork=True)


def storyboard(path: Path, plan: EncodingPlan) -> Made:
    """Sheets named "storyboard/0.jpg" on, pictures such as "poster-0.jpg", and what there is as the result.

    The artwork comes with the glance where the film gets one. Raises `NothingShown`.
    """
    board = layout(plan)
    shown = shown_at(path, plan, frames_of(plan, board), seconds=_SECONDS)
    yield from _drawn(plan, board, shown, plan.report.video, artwork=not (long(plan) or sparse(plan)))


def redrawn(plan: EncodingPlan, job: Mapping[str, Any]) -> Made:
    """The same from segments that were made of the film, each of which begins with a picture of its own.

    Of the job, `init` is the path of their init segment, `segments` has tile, index and path of each, `width` and
    `height` are those of their pictures, and `artwork` says whether there shall be any.
    """
    init = Path(job["init"]).read_bytes()
    video = replace(
        plan.report.video,
        width=job["width"],
        height=job["height"],
        sample_aspect="1/1",
        rotation=0,
        interlaced=False,
        color_primaries="bt709",
        color_transfer="bt709",
        color_space="bt709",
        color_range="tv",
    )
    yield from _drawn(plan, layout(plan), _firsts(init, job["segments"]), video, artwork=job["artwork"])


def _firsts(init: bytes, segments: Iterable[tuple[int, int, str]]) -> Iterator[Shown]:
    last = -1
    for tile, index, path in segments:
        yield tile, index, None if index == last else _first(init, path)
        last = index


def _first(init: bytes, path: str) -> av.VideoFrame | None:
    try:
        with av.open(io.BytesIO(init + Path(path).read_bytes()), "r", format="mp4") as container:
            stream = container.streams.video[0]
            stream.codec_context.skip_frame = "NONKEY"
            return next(container.decode(stream), None)
    except av.error.FFmpegError:
        return None


def _drawn(plan: EncodingPlan, board: Storyboard, shown: Iterable[Shown], video: VideoStream, *, artwork: bool) -> Made:
    """What there is of pictures of `video`, which come as they are shown."""
    grid, contest = grid_of(plan), Contest(video)
    converter = Converter(video, board.tile_width, board.tile_height, 1)
    length = grid.frames / grid.rate
    wanted = {round(number * (board.tiles - 1) / (_CANDIDATES - 1)) for number in range(_CANDIDATES)}
    tiles: dict[int, Planes] = {}
    places: dict[int, int] = {}
    for place, stamp, frame in shown:
        if frame is not None or stamp in tiles:
            places[place] = stamp
        if frame is None:
            continue
        if artwork and place in wanted:
            contest.add(float(place * Fraction(board.interval) / length), frame)
        if stamp not in tiles:
            tiles[stamp] = planes(converter.convert(frame))
    if not places:
        message = "no picture of the film can be decoded"
        raise NothingShown(message)
    peak = 0
    for number, sheet in enumerate(_sheets(board, [tiles[stamp] for stamp in _held(places, board.tiles)])):
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
