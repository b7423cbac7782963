"""A store bounded in bytes that keeps what is asked for again: SIEVE (Zhang et al., NSDI 2024).

Like a queue, but a hand that moves from the oldest entry to the newest spares, once, each one that was asked for
since it last came by. A hit only sets a mark, nothing moves; and somebody who watches a film once from end to end
pushes out little that others come back to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

V = TypeVar("V")


@dataclass(slots=True, eq=False)
class _Entry(Generic[V]):
    key: str
    value: V
    size: int
    asked: bool = False
    newer: _Entry[V] | None = None
    older: _Entry[V] | None = None


class Sieve(Generic[V]):
    """Values by key, together at most `limit_bytes`. Every call costs O(1), eviction amortised."""

    def __init__(self, limit_bytes: int) -> None:
        """Start empty."""
        self.limit_bytes = limit_bytes
        self.bytes = 0
        self._entries: dict[str, _Entry[V]] = {}
        self._newest: _Entry[V] | None = None
        self._oldest: _Entry[V] | None = None
        self._hand: _Entry[V] | None = None

    def __len__(self) -> int:
        """How many values there are."""
        return len(self._entries)

    def get(self, key: str) -> V | None:
        """The value, or nothing."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        entry.asked = True
        return entry.value

    def put(self, key: str, value: V, size: int) -> None:
        """Keep the value, which takes `size` bytes. One larger than the store, or already there, is passed over."""
        if size > self.limit_bytes or key in self._entries:
            return
        while self.bytes + size > self.limit_bytes:
            self._evict()
        entry = _Entry(key, value, size, older=self._newest)
        if self._newest is not None:
            self._newest.newer = entry
        else:
            self._oldest = entry
        self._newest = entry
        self._entries[key] = entry
        self.bytes += size

    def _evict(self) -> None:
        entry = self._hand or self._oldest
        while entry is not None and entry.asked:
            entry.asked = False
            entry = entry.newer or self._oldest
        if entry is not None:
            self._hand = entry.newer
            self._remove(entry)

    def _remove(self, entry: _Entry[V]) -> None:
        if entry.newer is not None:
            entry.newer.older = entry.older
        else:
            self._newest = entry.older
        if entry.older is not None:
            entry.older.newer = entry.newer
        else:
            self._oldest = entry.newer
        del self._entries[entry.key]
        self.bytes -= entry.size
