"""What is in a media segment, read from its boxes without decoding anything (ISO/IEC 14496-12, section 8.8). Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = 8
_TFHD_OFFSET, _TFHD_DESCRIPTION, _TFHD_DURATION = 0x1, 0x2, 0x8
_TRUN_DATA_OFFSET, _TRUN_FIRST_FLAGS, _TRUN_DURATION = 0x1, 0x4, 0x100
_TRUN_FIELDS = (0x100, 0x200, 0x400, 0x800)
_SMALLEST = 16


@dataclass(frozen=True, slots=True)
class Fragment:
    """The one fragment of a segment; times in ticks of its rendition's timescale."""

    start: int
    """Decode time of the first sample."""
    samples: int
    duration: int
    bytes: int
    """Of the whole segment, as its boxes say."""


def whole(segment: bytes) -> bool:
    """Whether the segment's boxes end where its bytes do: half a file, or one of zeros, is not whole."""
    try:
        return fragment(segment).bytes == len(segment)
    except ValueError:
        return False


def fragment(head: bytes) -> Fragment:
    """What a segment says of itself; its first bytes up to the media data are enough. Raises `ValueError`."""
    try:
        return _fragment(head)
    except struct.error as error:
        message = "a box ends too early"
        raise ValueError(message) from error


def _fragment(head: bytes) -> Fragment:
    start, samples, duration, end = -1, 0, 0, 0
    for kind, at, size in _boxes(head, 0, None):
        end = at - _HEADER + size
        if kind != b"moof":
            continue
        if end > len(head):
            message = "the movie fragment is cut off"
            raise ValueError(message)
        for traf, inside, length in _boxes(head, at, end):
            if traf == b"traf":
                start, samples, duration = _track(head, inside, inside - _HEADER + length)
    if start < 0 or not samples:
        message = "there is no movie fragment"
        raise ValueError(message)
    return Fragment(start, samples, duration, end)


def _boxes(data: bytes, at: int, end: int | None) -> Iterator[tuple[bytes, int, int]]:
    """Kind, place of the contents, and size with its header, of each box; the last one may lie beyond the data."""
    limit = len(data) if end is None else end
    while at < limit:
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < _HEADER or (end is not None and at + size > end):
            message = "a box has a size that cannot be"
            raise ValueError(message)
        yield kind, at + _HEADER, size
        at += size


def _track(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    start, samples, duration, usual = -1, 0, 0, 0
    for kind, inside, _ in _boxes(data, at, end):
        version, flags = data[inside], int.from_bytes(data[inside + 1 : inside + 4])
        if kind == b"tfhd":
            skipped = 8 + 8 * bool(flags & _TFHD_OFFSET) + 4 * bool(flags & _TFHD_DESCRIPTION)
            usual = struct.unpack_from(">I", data, inside + skipped)[0] if flags & _TFHD_DURATION else 0
        elif kind == b"tfdt":
            (start,) = struct.unpack_from(">Q" if version else ">I", data, inside + 4)
        elif kind == b"trun":
            (count,) = struct.unpack_from(">I", data, inside + 4)
            samples += count
            if not flags & _TRUN_DURATION:
                duration += count * usual
                continue
            row = 4 * sum(bool(flags & field) for field in _TRUN_FIELDS)
            first = inside + 8 + 4 * bool(flags & _TRUN_DATA_OFFSET) + 4 * bool(flags & _TRUN_FIRST_FLAGS)
            duration += sum(struct.unpack_from(">I", data, first + row * n)[0] for n in range(count))
    return start, samples, duration
