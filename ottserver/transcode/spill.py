"""Segments that players were given and the full disk did not take: kept in memory, so that each is made once."""

from __future__ import annotations

from collections import OrderedDict

LIMIT_BYTES = 64 * 1024 * 1024


class Spill:
    """The latest of them, up to a number of bytes."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        """Start empty."""
        self._limit = limit_bytes
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def keep(self, key: str, data: bytes) -> bytes:
        """Keep the bytes, unless there are some under the key already; those that count."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        self._kept[key] = data
        self._bytes += len(data)
        while self._bytes > self._limit and len(self._kept) > 1:
            self._bytes -= len(self._kept.popitem(last=False)[1])
        return data

    def get(self, key: str) -> bytes:
        """The bytes; none when they are not here."""
        return self._kept.get(key, b"")

    def take(self, key: str) -> bytes:
        """The bytes, which are kept no longer; none when they are not here."""
        data = self._kept.pop(key, b"")
        self._bytes -= len(data)
        return data
