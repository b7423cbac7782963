"""Times of packets of an AVI, which has none: the place of a chunk in the index is its time. Children only.

FFmpeg counts the chunks that it finds, so all after a damaged stretch would be shown early, and sound by another time
than pictures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream

_CHUNK_HEAD_BYTES = 8


class Counted:
    """Puts packets of one stream where its index says that they belong."""

    def __init__(self, stream: Stream) -> None:
        """The stream must have an index of at least two entries."""
        self._entries = stream.index_entries
        self._place = 0
        first, second = self._entries[0], self._entries[1]
        # Of sound without frames the index counts bytes.
        self._bytes = first.size > 1 and second.timestamp - first.timestamp == first.size

    def mend(self, packet: Packet[Stream]) -> None:
        """Give the packet its time; one that is not in the index keeps what it has."""
        if packet.pos is None or packet.dts is None:
            return
        position = packet.pos - _CHUNK_HEAD_BYTES
        entry = self._entries[self._found(position)]
        inside = position - entry.pos
        if not (0 <= inside < max(1, entry.size) if self._bytes else inside == 0):
            return
        per_tick = packet.size // packet.duration if self._bytes and packet.duration else 1
        true = (entry.timestamp + inside) // max(1, per_tick)
        if true != packet.dts:
            packet.pts = None if packet.pts is None else packet.pts + true - packet.dts
            packet.dts = true

    def _found(self, position: int) -> int:
        """Place of the last entry that lies at or before a position of the file."""
        count = len(self._entries)
        for place in (self._place, self._place + 1):
            if place < count and self._entries[place].pos == position:
                self._place = place
                return place
        low, high = 0, count
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._entries[middle].pos <= position else (low, middle)
        self._place = low
        return low
