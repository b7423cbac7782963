"""Whether pictures of MPEG-1 or MPEG-2 are missing or in pieces (ISO/IEC 13818-2 sections 6.1.2 and 6.3.9). Pure."""

from __future__ import annotations

import re
from itertools import pairwise

_PICTURE, _GROUP = b"\0\0\1\0", b"\0\0\1\xb8"
_SLICE = re.compile(rb"\x00\x00\x01([\x01-\xaf])")
_INTRA, _B = 1, 3


class TemporalReferences:
    """Follows the pictures of one stream in the order of decoding."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._first = -1
        self._anchor = self._before = -1
        # Of the last picture that others refer to, and of the one before it in the same group.
        self.since = 0
        """Packets that came from the last picture on that others refer to."""
        self._seen: set[int] = set()

    def doubtful(self, packet: bytes) -> int:
        """How many packets before this one are in doubt because pictures are missing among them.

        They are counted from the last picture that others refer to: where its time was lost, it is shown too late.
        """
        at = packet.find(_PICTURE)
        if at < 0 or len(packet) < at + 6:
            return 0
        head = int.from_bytes(packet[at + 4 : at + 6])
        reference, kind = head >> 6, head >> 3 & 7
        if kind == _B:
            doubtful = self.since if self._anchor >= 0 and not self._before < reference < self._anchor else 0
            self._seen.add(reference)
            self.since += 1
            return doubtful
        if reference == self._anchor:
            # The second field of the same picture.
            self.since += 1
            return 0
        # What is shown before the group's first picture may have been cut off by an editor.
        shown = sum(one >= self._first for one in self._seen)
        missing = self._first >= 0 and shown != self._anchor - self._first + 1
        if packet.find(_GROUP, 0, at) >= 0 or (kind == _INTRA and reference < self._anchor):
            self._first, self._seen = reference, set()
        elif self._first < 0 or reference < self._anchor:
            self._first, self._seen = -1, set()
        self._before = self._anchor if self._first >= 0 and len(self._seen) else -1
        self._anchor = reference
        self._seen.add(reference)
        since, self.since = self.since, 1
        return since if missing else 0


def whole_rows(packet: bytes, *, every: bool) -> bool:
    """Whether the slices of a picture follow each other from top to bottom; with `every`, in each row of macroblocks.

    In MPEG-1 a slice may run over several rows. A packet without slices is whole.
    """
    rows = [row[0] for row in _SLICE.findall(packet)]
    steps = range(2) if every else range(256)
    return not rows or (rows[0] == 1 and all(after - before in steps for before, after in pairwise(rows)))
