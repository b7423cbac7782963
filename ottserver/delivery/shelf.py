"""A store bounded in bytes that lets go what is needed last, as far as can be told (docs/adr/0012).

A value with a place in a film goes by what `Viewers` foresees. One without, such as an init segment, goes by how long
nobody has asked for it. Nothing is sorted: the worst of some chosen at random goes, and the next worst are kept in mind
for the next time, which comes close to the worst of all.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from ottserver.delivery.viewers import Place, Viewers

V = TypeVar("V")

_LOOKS = 16
_REMEMBERED = 8


class _Entry(Generic[V]):
    __slots__ = ("asked", "at", "idle_since", "key", "place", "size", "value")

    def __init__(self, key: str, value: V, size: int, place: Place | None, now: float) -> None:
        self.key = key
        self.value = value
        self.size = size
        self.place = place
        self.at = -1
        """Where it is among all entries; -1 when it is gone."""
        self.asked = True
        self.idle_since = now


class Shelf(Generic[V]):
    """Values by key, together at most `limit_bytes`. A look-up costs O(1); whatever goes, a few looks at others."""

    def __init__(self, limit_bytes: int, viewers: Viewers, seed: int | None = None) -> None:
        """Start empty; with a `seed`, always choose alike."""
        self.limit_bytes = limit_bytes
        self.bytes = 0
        self._viewers = viewers
        self._entries: dict[str, _Entry[V]] = {}
        self._all: list[_Entry[V]] = []
        self._worse: list[_Entry[V]] = []
        self._random = random.Random(seed).random  # noqa: S311 - nothing is kept secret by it

    def __len__(self) -> int:
        """How many values there are."""
        return len(self._all)

    def __contains__(self, key: str) -> bool:
        """Whether there is a value; that does not count as asking for it."""
        return key in self._entries

    def get(self, key: str) -> V | None:
        """The value, or nothing."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        entry.asked = True
        return entry.value

    def put(self, key: str, value: V, size: int, place: Place | None = None) -> None:
        """Keep the value, which takes `size` bytes, unless all others are needed sooner.

        One larger than the store, or already there, is passed over.
        """
        if size > self.limit_bytes or key in self._entries:
            return
        now = self._viewers.now()
        entry = self._entries[key] = _Entry(key, value, size, place, now)
        entry.at = len(self._all)
        self._all.append(entry)
        self.bytes += size
        if self.bytes > self.limit_bytes:
            self._viewers.forget_silent()
        while self.bytes > self.limit_bytes:
            self._evict(entry, now)

    def _evict(self, newcomer: _Entry[V], now: float) -> None:
        chosen = {entry.at: entry for entry in self._worse if entry.at >= 0}
        count = len(self._all)
        for _ in range(_LOOKS):
            entry = self._all[int(self._random() * count)]
            chosen[entry.at] = entry
        if newcomer.at >= 0:
            chosen[newcomer.at] = newcomer
        best_first = sorted((self._wait(entry, now), at) for at, entry in chosen.items())
        self._remove(chosen[best_first[-1][1]])
        self._worse = [chosen[at] for _, at in best_first[-_REMEMBERED - 1 : -1]]

    def _wait(self, entry: _Entry[V], now: float) -> float:
        if entry.place is not None:
            return self._viewers.wait(entry.place, now)
        if entry.asked:
            entry.asked = False
            entry.idle_since = now
        return now - entry.idle_since

    def _remove(self, entry: _Entry[V]) -> None:
        last = self._all.pop()
        if last is not entry:
            self._all[entry.at] = last
            last.at = entry.at
        entry.at = -1
        del self._entries[entry.key]
        self.bytes -= entry.size
