"""Any cache behind a breaker: no call takes long, and whatever its driver raises is `Busy`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ottserver.backends.outage.breaker import Breaker

if TYPE_CHECKING:
    from ottserver.backends.cache import Cache
    from ottserver.backends.outage.breaker import BackendMetrics

WAIT_SECONDS = 0.5
"""A cache answers within milliseconds, or is of no use."""


class GuardedCache:
    """Implements `ottserver.backends.cache.Cache` over another one."""

    def __init__(self, real: Cache, metrics: BackendMetrics) -> None:
        """Guard `real`."""
        self._real = real
        self._breaker = Breaker("cache", metrics, wait_seconds=WAIT_SECONDS)

    async def get(self, key: str) -> bytes | None:
        """The value, or nothing."""
        return await self._breaker.run(partial(self._real.get, key))

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """Set the value for `ttl` seconds."""
        await self._breaker.run(partial(self._real.put, key, value, ttl))

    async def add(self, key: str, value: bytes, ttl: float) -> bool:
        """Set the value unless one is there; whether this call set it."""
        return await self._breaker.run(partial(self._real.add, key, value, ttl))

    async def increment(self, key: str, ttl: float) -> int:
        """Add one to a counter; its new value."""
        return await self._breaker.run(partial(self._real.increment, key, ttl))

    async def delete(self, key: str) -> None:
        """Forget the key."""
        await self._breaker.run(partial(self._real.delete, key))

    async def lease(self, group: str, member: str, value: bytes, *, ttl: float, limit: int) -> bool:
        """Take, or renew, a lease."""
        return await self._breaker.run(partial(self._real.lease, group, member, value, ttl=ttl, limit=limit))

    async def renew(self, group: str, member: str, *, ttl: float) -> bool:
        """Prolong a lease that is held."""
        return await self._breaker.run(partial(self._real.renew, group, member, ttl=ttl))

    async def release(self, group: str, member: str) -> None:
        """End a lease."""
        await self._breaker.run(partial(self._real.release, group, member))

    async def leases(self, group: str) -> dict[str, bytes]:
        """The values of all live leases of the group."""
        return await self._breaker.run(partial(self._real.leases, group))

    async def check(self) -> None:
        """Raise when the cache cannot be reached; asks it even while nobody else does."""
        await self._real.check()
        self._breaker.worked()
