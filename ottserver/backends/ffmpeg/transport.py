"""Finds the place of a time in a transport stream (ISO/IEC 13818-1), which has no index. No FFmpeg.

FFmpeg's own search reads through a stretch of noise again and again: 25 times its length for one seek.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

_SYNC, _IN_A_ROW = 0x47, 5
_SIZES = (188, 192, 204)
# Bytes from one packet to the next: as it is, behind a time (M2TS), and with parity.
_CHUNK_BYTES = 256 << 10
_OVERLAP_BYTES = _IN_A_ROW * max(_SIZES)
_NEAR_BYTES = 32 << 10
_KEY_TICKS, _KEY_BYTES = 12 * 90_000, 32 << 20
# So far back a key frame is looked for.
_PES_BYTES = 14
# Up to the end of the time.
_WRAP = 1 << 33


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture or some sound begins."""

    offset: int
    ticks: int
    """Of 90 kHz, as FFmpeg counts: on from the file's first, past the end of 33 bits."""


class Transport:
    """The packets of one stream in a file."""

    def __init__(self, file: int, size: int, pid: int) -> None:
        """`file` is a descriptor, `pid` what FFmpeg calls the stream's id."""
        self._file = file
        self._size = size
        self._pid = pid
        self._step = 0
        self._first: int | None = None

    def at(self, ticks: int) -> Place | None:
        """The last place at or before a time; nothing where the file has none, or is no transport stream."""
        low = self._next(0, min(self._size, 4 * _CHUNK_BYTES))
        if low is None or low.ticks > ticks:
            return None
        high = self._size
        while high - low.offset > _NEAR_BYTES:
            middle = (low.offset + high) // 2
            found = self._next(middle, high)
            if found is None or found.ticks > ticks:
                # Between here and there is none.
                high = middle
            else:
                low = found
        return low

    def key(self, place: Place) -> Place | None:
        """The last place at or before another at which decoding can begin, as far as the stream says so.

        Nothing where it says so of none within some seconds.
        """
        end = min(self._size, place.offset + 1)
        while end > 0:
            start = max(0, end - _CHUNK_BYTES)
            found: Place | None = None
            data = os.pread(self._file, end - start + _OVERLAP_BYTES, start)
            earliest = place
            for at in self._packets(data):
                ticks = self._stamp(data, at)
                if ticks is None or start + at >= end:
                    continue
                here = Place(start + at, ticks)
                earliest = min(earliest, here, key=lambda one: one.offset)
                if data[at + 3] & 0x20 and data[at + 4] and data[at + 5] & 0x40:
                    found = here
            if found is not None or place.ticks - earliest.ticks > _KEY_TICKS or end < place.offset - _KEY_BYTES:
                return found
            end = start
        return None

    def _next(self, start: int, end: int) -> Place | None:
        """The first place from one offset on to another."""
        while start < end:
            data = os.pread(self._file, min(_CHUNK_BYTES, end - start) + _OVERLAP_BYTES, start)
            for at in self._packets(data):
                ticks = self._stamp(data, at)
                if ticks is not None and start + at < end:
                    return Place(start + at, ticks)
            start += _CHUNK_BYTES
        return None

    def _packets(self, data: bytes) -> list[int]:
        """Where packets of the stream begin that begin a unit of it."""
        array = np.frombuffer(data, np.uint8)
        for step in (self._step,) if self._step else _SIZES:
            count = array.size - (_IN_A_ROW - 1) * step
            if count <= 0:
                continue
            begins = array[:count] == _SYNC
            for place in range(1, _IN_A_ROW):
                begins &= array[place * step : place * step + count] == _SYNC
            begins = np.flatnonzero(begins)
            if begins.size:
                self._step = step
                high, low = array[begins + 1], array[begins + 2]
                ours = (high & 0x5F) == (0x40 | self._pid >> 8)
                return [int(at) for at in begins[ours & (low == (self._pid & 0xFF))]]
        return []

    def _stamp(self, data: bytes, at: int) -> int | None:
        """The time of showing in a packet that begins a unit (ISO/IEC 13818-1 section 2.4.3.7)."""
        body = at + 4 + (1 + data[at + 4] if data[at + 3] & 0x20 else 0)
        head = data[body : min(at + min(_SIZES), body + _PES_BYTES)]
        if len(head) < _PES_BYTES or head[:3] != b"\0\0\1" or not head[7] & 0x80:
            return None
        high, middle, low = head[9] >> 1 & 7, int.from_bytes(head[10:12]) >> 1, int.from_bytes(head[12:14]) >> 1
        ticks = high << 30 | middle << 15 | low
        self._first = ticks if self._first is None else self._first
        return ticks + (_WRAP if ticks < self._first - _WRAP // 2 else 0)
