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
    expected = head = 0
    for stamp, block in _agreed(blocks, 2 * rounding):
        head = head or block.shape[1]
        if stamp is not None and (stretch or following is not None) and abs(stamp - expected) > 2 * rounding:
            yield from _settled(stretch, begin, head, rounding)
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
            settled = _settled(stretch, begin, head, rounding)
            yield from settled
            following = expected = settled[-1][0] + settled[-1][1].shape[1]
            stretch = []
    yield from _settled(stretch, begin, head, rounding)


def _agreed(blocks: Iterator[Stamped], slack: int) -> Iterator[Stamped]:
    """The blocks, without a stamp that the ones on either side of it contradict."""
    expected: int | None = None
    held: Stamped | None = None
    for stamp, block in blocks:
        if held is not None and expected is not None:
            alone = stamp is not None and abs(stamp - expected - held[1].shape[1]) <= slack
            if not alone and held[0] is not None:
                expected = held[0]
            yield (None if alone else held[0]), held[1]
            expected += held[1].shape[1]
            held = None
        if stamp is not None and expected is not None and abs(stamp - expected) > slack:
            held = stamp, block
            continue
        yield stamp, block
        if stamp is not None or expected is not None:
            expected = (stamp if stamp is not None else expected or 0) + block.shape[1]
    if held is not None:
        yield held


def _settled(stretch: list[Stamped], begin: int, head: int, rounding: int) -> list[Placed]:
    if not stretch:
        return []
    lengths = [block.shape[1] for _, block in stretch]
    offsets = [0, *np.cumsum(lengths[:-1]).tolist()]
    starts = [stamp - offset for (stamp, _), offset in zip(stretch, offsets, strict=True) if stamp is not None]
    # A stretch without any timestamp is taken to be the track's beginning.
    low, high = (min(starts), max(starts)) if starts else (begin, begin)
    first = (low + high) // 2
    frame = lengths[-1]
    short = lengths[0] < frame
    if frame and len(set(lengths[short:])) == 1:
        # Decoders that take off what comes before the first sample do so wherever they begin.
        phase = begin + (head if head < frame else 0) - (lengths[0] if short else 0)
        anchored = phase + round((first - phase) / frame) * frame
        if anchored - low <= rounding and high - anchored <= rounding:
            first = anchored
    return [(first + offset, block) for offset, (_, block) in zip(offsets, stretch, strict=True)]
