"""Where decoded blocks of sound lie, free of their containers' rounding. Pure.

Matroska writes milliseconds, so a block may be stamped half a millisecond off. A segment whose samples were placed by
such a stamp would miss its neighbour by twenty samples and click. Blocks are therefore counted on from each other, and
the count is anchored to the track's own frames, which are the same from wherever decoding begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    Block = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
    Placed = tuple[int, Block]
    Stamped = tuple[int | None, Block]

_STEADY = 8
# Blocks that are looked at together to find where a stretch lies.


def placed(blocks: Iterator[Stamped], *, begin: int, rounding: int) -> Iterator[Placed]:
    """Blocks with their exact positions in samples.

    `blocks` are samples of shape (channels, n) with the position that their timestamp says, or none. `begin` is the
    position of the track's first sample, `rounding` the number of samples by which a stamp may be off. A stamp further
    off than that is a hole or an overlap in the source, and the count starts anew.
    """
    stretch: list[Stamped] = []
    following: int | None = None
    expected = 0
    for stamp, block in blocks:
        if stamp is not None and (stretch or following is not None) and abs(stamp - expected) > 2 * rounding:
            yield from _settled(stretch, begin, rounding)
            stretch, following = [], None
        if following is not None:
            yield following, block
            following = expected = following + block.shape[1]
            continue
        if not stretch and stamp is not None:
            expected = stamp
        stretch.append((stamp, block))
        expected += block.shape[1]
        if len(stretch) == _STEADY:
            settled = _settled(stretch, begin, rounding)
            yield from settled
            following = expected = settled[-1][0] + settled[-1][1].shape[1]
            stretch = []
    yield from _settled(stretch, begin, rounding)


def _settled(stretch: list[Stamped], begin: int, rounding: int) -> list[Placed]:
    if not stretch:
        return []
    lengths = [block.shape[1] for _, block in stretch]
    offsets = [0, *np.cumsum(lengths[:-1]).tolist()]
    starts = [stamp - offset for (stamp, _), offset in zip(stretch, offsets, strict=True) if stamp is not None]
    # A stretch without any timestamp is taken to be the track's beginning.
    low, high = (min(starts), max(starts)) if starts else (begin, begin)
    first = (low + high) // 2
    frame = lengths[0]
    if frame and len(set(lengths)) == 1:
        anchored = begin + round((first - begin) / frame) * frame
        if anchored - low <= rounding and high - anchored <= rounding:
            first = anchored
    return [(first + offset, block) for offset, (_, block) in zip(offsets, stretch, strict=True)]
