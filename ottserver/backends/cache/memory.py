"""The cache in this process's memory: bounded, and empty after a restart."""

from __future__ import annotations

import itertools
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

Held = TypeVar("Held")

ENTRIES_LIMIT = 50_000
GROUPS_LIMIT = 20_000
"""To look through as many takes the event loop less than 5 ms."""


class MemoryCache:
    """Implements `ottserver.backends.cache.Cache`. Every call runs to its end without a pause, so each is atomic."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Start empty; `now` is the clock, in seconds."""
        self._now = now
        self._values: dict[str, tuple[bytes, float]] = {}
        self.groups: dict[str, dict[str, tuple[bytes, float]]] = {}

    async def get(self, key: str) -> bytes | None:
        """The value, unless it has expired."""
        found = self._values.get(key)
        if found is None:
            return None
        value, expires = found
        if expires <= self._now():
            del self._values[key]
            return None
        return value

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """Set the value. When there are too many, those that have expired go, or else the oldest."""
        self._values.pop(key, None)
        self._values[key] = (value, self._now() + ttl)
        if len(self._values) > ENTRIES_LIMIT:
            now = self._now()
            _make_room(self._values, ENTRIES_LIMIT, [key for key, held in self._values.items() if held[1] <= now])

    async def add(self, key: str, value: bytes, ttl: float) -> bool:
        """Set the value unless one is there."""
        if await self.get(key) is not None:
            return False
        await self.put(key, value, ttl)
        return True

    async def increment(self, key: str, ttl: float) -> int:
        """Add one to a counter."""
        current = await self.get(key)
        if current is None:
            await self.put(key, b"1", ttl)
            return 1
        count = int(current) + 1
        self._values[key] = (str(count).encode(), self._values[key][1])
        return count

    async def delete(self, key: str) -> None:
        """Forget the key."""
        self._values.pop(key, None)

    def _live(self, group: str) -> dict[str, tuple[bytes, float]]:
        now = self._now()
        members = {m: held for m, held in self.groups.get(group, {}).items() if held[1] > now}
        if members:
            self.groups[group] = members
        else:
            self.groups.pop(group, None)
        return members

    async def lease(self, group: str, member: str, value: bytes, *, ttl: float, limit: int) -> bool:
        """Take or renew a lease."""
        members = self._live(group)
        if member not in members and len(members) >= limit:
            return False
        members[member] = (value, self._now() + ttl)
        self.groups[group] = members
        if len(self.groups) > GROUPS_LIMIT:
            now = self._now()
            ended = [name for name, held in self.groups.items() if all(until <= now for _, until in held.values())]
            _make_room(self.groups, GROUPS_LIMIT, ended)
        return True

    async def renew(self, group: str, member: str, *, ttl: float) -> bool:
        """Prolong a lease that is held."""
        members = self._live(group)
        held = members.get(member)
        if held is None:
            return False
        members[member] = (held[0], self._now() + ttl)
        return True

    async def release(self, group: str, member: str) -> None:
        """End a lease."""
        members = self._live(group)
        if members.pop(member, None) is not None and not members:
            self.groups.pop(group, None)

    async def leases(self, group: str) -> dict[str, bytes]:
        """The live leases, oldest first."""
        return {member: held[0] for member, held in self._live(group).items()}

    async def check(self) -> None:
        """Memory is always there."""


def _make_room(entries: dict[str, Held], limit: int, ended: list[str]) -> None:
    """Drop what has ended; where that is not enough, the oldest tenth, so that this does not happen every time."""
    for key in ended:
        del entries[key]
    if len(entries) > limit:
        for key in list(itertools.islice(entries, len(entries) - limit * 9 // 10)):
            del entries[key]


@asynccontextmanager
async def open_memory_cache() -> AsyncIterator[MemoryCache]:
    """A cache that lives as long as the context."""
    yield MemoryCache()
