"""Pictures of a film for its title page: of many candidates those that show something, and differ. Children only."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from ottserver.transcode.board import BACKDROP_WIDTH, PICTURES
from ottserver.transcode.decode import deinterlaced_picture
from ottserver.transcode.jpeg import jpeg, planes
from ottserver.transcode.ladder import display_size
from ottserver.transcode.picture import Converter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

    from ottserver.media import VideoStream
    from ottserver.transcode.jpeg import Planes

    Floats = NDArray[np.float32]

POSTER_WIDTH = 640
_QUANTISER = 4
_BLACK = 24
_MOST_BARS = 0.45
_GRID = (9, 16)
# Rows and columns of the small picture by which two are compared.
_APART, _ALIKE = 30.0, 6.0
# How much two pictures should differ, in levels of 255, and the least that still counts as another one.
_HEAD, _TAIL = 0.02, 0.93
# Before and after these shares of a film are titles and credits, more often than not.


@dataclass(frozen=True)
class _Candidate:
    """A picture with its marks."""

    share: float
    """Where in the film it is, 0 to 1."""
    picture: Planes
    poster: float
    backdrop: float
    sketch: Floats
    empty: bool
    """Whether it is black, white or nothing."""


class Contest:
    """Takes candidates and chooses. Everything is upright and in the film's own shape, bars taken off."""

    def __init__(self, video: VideoStream) -> None:
        """Begin with no candidate."""
        self._video = video
        width, height = display_size(video)
        scale = min(BACKDROP_WIDTH / width, BACKDROP_WIDTH / height, Fraction(1))
        self._backdrop = Converter(video, _even(width * scale), _even(height * scale), 1)
        self._pictures: list[tuple[float, Planes]] = []

    def add(self, share: float, frame: VideoFrame) -> None:
        """A picture from that share of the film, 0 to 1."""
        whole = deinterlaced_picture(frame) if self._video.interlaced else frame
        self._pictures.append((share, planes(self._backdrop.convert(whole))))

    def chosen(self) -> tuple[list[float], int, Iterator[tuple[str, bytes]]]:
        """The shares of the film that the pictures come from, best first; which is the backdrop; JPEGs by name.

        The first is the poster. Every picture is there as "poster-0", small, and as "backdrop-0".
        """
        bars = _bars([picture[0] for _, picture in self._pictures])
        candidates = [_marked(share, _cut(picture, bars)) for share, picture in self._pictures]
        ranked = sorted(candidates, key=lambda one: (one.empty, -one.poster))
        # A black picture is offered only where there is no other.
        best = _differing([one for one in ranked if not one.empty] or ranked[:1])
        backdrop = max(range(len(best)), key=lambda number: best[number].backdrop, default=0)
        return [one.share for one in best], backdrop, _files([one.picture for one in best])


def _files(pictures: list[Planes]) -> Iterator[tuple[str, bytes]]:
    for number, picture in enumerate(pictures):
        yield f"backdrop-{number}", jpeg(picture, quantiser=_QUANTISER)
        yield f"poster-{number}", jpeg(picture, quantiser=_QUANTISER, longest=POSTER_WIDTH)


def _bars(lumas: list[NDArray[np.uint8]]) -> tuple[int, int, int, int]:
    """Rows and columns that are black in every picture: above, below, left and right; even numbers."""
    if not lumas:
        return 0, 0, 0, 0
    rows = np.max([np.percentile(luma, 95, axis=1) for luma in lumas], axis=0) > _BLACK
    columns = np.max([np.percentile(luma, 95, axis=0) for luma in lumas], axis=0) > _BLACK
    return *_edges(rows), *_edges(columns)


def _edges(lit: NDArray[np.bool_]) -> tuple[int, int]:
    """Even numbers of dark lines before and after the lit ones; none where too little would be left."""
    places = np.flatnonzero(lit)
    if not places.size:
        return 0, 0
    before, after = int(places[0]), len(lit) - 1 - int(places[-1])
    if (not before and not after) or before + after > len(lit) * _MOST_BARS:
        return 0, 0
    # The line beside a bar is blurred into it.
    return (before + 2) // 2 * 2 if before else 0, (after + 2) // 2 * 2 if after else 0


def _cut(picture: Planes, bars: tuple[int, int, int, int]) -> Planes:
    height, width = picture[0].shape
    above, left, below, right = bars[0], bars[2], height - bars[1], width - bars[3]
    luma, blue, red = picture
    half = slice(above // 2, below // 2), slice(left // 2, right // 2)
    return luma[above:below, left:right], blue[half], red[half]


def _marked(share: float, picture: Planes) -> _Candidate:
    luma = picture[0].astype(np.float32)
    colour = [plane.astype(np.float32) - 128 for plane in picture[1:]]
    across, down = np.abs(np.diff(luma, axis=1)), np.abs(np.diff(luma, axis=0))
    # Of an edge no more than this counts: letters on black are not sharper than a face.
    sharp = min(1.0, float(np.minimum(across, 40).mean() + np.minimum(down, 40).mean()) / 14)
    dark, light = np.percentile(luma, (5, 95))
    contrast = min(1.0, float(light - dark) / 160)
    exposure = max(0.0, 1 - abs(float(luma.mean()) - 115) / 100)
    colourful = min(1.0, float(np.abs(colour[0]).mean() + np.abs(colour[1]).mean()) / 30)
    mark = 0.3 * sharp + 0.3 * contrast + 0.25 * exposure + 0.15 * colourful
    empty = float(luma.mean()) < 38 or float(luma.mean()) > 222 or float(luma.std()) < 12  # noqa: PLR2004 - black, white, nothing
    if _flat(luma) > 0.72 or np.bincount((picture[0] >> 3).reshape(-1)).max() > 0.6 * luma.size:  # noqa: PLR2004 - a title card
        mark *= 0.4
    if not _HEAD <= share <= _TAIL:
        mark *= 0.6
    # Words stand on the left of a backdrop: what is busy there disturbs them.
    third = max(1, luma.shape[1] // 3)
    busy = float(across[:, :third].mean()) / (float(across.mean()) + 1)
    return _Candidate(share, picture, mark, mark * (1 - 0.25 * min(1.0, busy)), _sketch(luma, *colour), empty)


def _flat(luma: Floats) -> float:
    """The share of the picture in which nothing is to be seen."""
    height, width = (side // 16 * 16 for side in luma.shape)
    if not height or not width:
        return 0.0
    blocks = luma[:height, :width].reshape(height // 16, 16, width // 16, 16)
    return float((blocks.std(axis=(1, 3)) < 2.5).mean())  # noqa: PLR2004 - less than the grain of a film


def _mean(part: Floats) -> float:
    """0 for a part of a picture that is too narrow to have it."""
    return float(part.mean()) if part.size else 0.0


def _sketch(*channels: Floats) -> Floats:
    """The picture in a few large dots of three channels."""
    dots = [
        [[_mean(part) for part in np.array_split(row, _GRID[1], axis=1)] for row in np.array_split(plane, _GRID[0])]
        for plane in channels
    ]
    return np.array(dots, np.float32)


def _differing(ranked: list[_Candidate]) -> list[_Candidate]:
    """The best of them that differ; where that leaves too few, those that differ less."""
    chosen = ranked[:1]
    apart = _APART
    while len(chosen) < PICTURES and apart >= _ALIKE:
        for one in ranked:
            if len(chosen) < PICTURES and all(_distance(one, other) >= apart for other in chosen):
                chosen.append(one)
        apart *= 0.7
    return sorted(chosen, key=lambda one: -one.poster)


def _distance(one: _Candidate, other: _Candidate) -> float:
    """Levels of 255 between two sketches, light and colour together."""
    return float(np.abs(one.sketch - other.sketch).mean(axis=(1, 2)).sum())


def _even(side: Fraction) -> int:
    return max(2, 2 * round(side / 2))
