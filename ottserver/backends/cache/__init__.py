"""Cache: short-lived values, counters and leases that all processes of an installation share.

What is in it may vanish at any time (a restart of `memory://` empties it); nothing durable lives here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from ottserver.errors import SettingsError

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager


class Cache(Protocol):
    """Values with a time to live (seconds), and leases: up to `limit` members of a group at a time."""

    async def get(self, key: str) -> bytes | None:
        """The value, or nothing when it was never set or has expired."""
        ...

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """Set the value for `ttl` seconds."""
        ...

    async def add(self, key: str, value: bytes, ttl: float) -> bool:
        """Set the value unless one is there; whether this call set it."""
        ...

    async def increment(self, key: str, ttl: float) -> int:
        """Add one to a counter that lives `ttl` seconds from its first increment; its new value."""
        ...

    async def delete(self, key: str) -> None:
        """Forget the key."""
        ...

    async def lease(self, group: str, member: str, value: bytes, *, ttl: float, limit: int) -> bool:
        """Atomically take, or renew, a lease for `member`: false when `limit` others hold one.

        `value` describes the holder.
        """
        ...

    async def renew(self, group: str, member: str, *, ttl: float) -> bool:
        """Prolong a lease that is held; false when it has expired or was released."""
        ...

    async def release(self, group: str, member: str) -> None:
        """End a lease; nothing happens when it is not held."""
        ...

    async def leases(self, group: str) -> dict[str, bytes]:
        """The values of all live leases of the group by member, oldest first."""
        ...

    async def check(self) -> None:
        """Raise when the cache cannot be reached."""
        ...


def open_cache(url: str) -> AbstractAsyncContextManager[Cache]:
    """The cache that `url` names. Raises `SettingsError`."""
    scheme = urlsplit(url).scheme
    if scheme == "memory":
        from ottserver.backends.cache.memory import open_memory_cache  # noqa: PLC0415 - only the chosen driver is loaded

        return open_memory_cache()
    message = f"cache_url: no cache is known for the scheme {scheme!r}; use memory://"
    raise SettingsError(message)
