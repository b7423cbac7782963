"""Screens: a lease in the cache for each session that plays, so that a plan's limit is counted atomically.

Each process remembers the leases that it has asked for. While the cache is away it counts with those, so that players
go on and a plan's limit still holds among the players of one process.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ottserver.backends.cache.memory import MemoryCache
from ottserver.clock import rfc3339
from ottserver.errors import Busy

if TYPE_CHECKING:
    from ottserver.backends.cache import Cache
    from ottserver.playback.models import Session


_ANY = 1_000_000


@dataclass(frozen=True, slots=True)
class Screens:
    """The screens of all accounts. A lease lives `lease_seconds` after it was last renewed."""

    cache: Cache
    lease_seconds: float
    own: Cache = field(default_factory=MemoryCache)
    """What this process knows by itself: as much as the cache where there is one process."""

    async def take(self, session: Session) -> bool:
        """Take a screen, or go on holding it; false when as many others play as the session's plan allows."""
        holder = {
            "session_id": session.id,
            "video_id": session.video_id,
            "title": session.title,
            "device": session.device,
            "started_at": rfc3339(session.started_at),
        }
        value = json.dumps(holder, ensure_ascii=False).encode()
        group = _group(session.account_id)
        try:
            taken = await self.cache.lease(group, session.id, value, ttl=self.lease_seconds, limit=session.screens)
        except Busy:
            return await self.own.lease(group, session.id, value, ttl=self.lease_seconds, limit=session.screens)
        if taken:
            await self.own.lease(group, session.id, value, ttl=self.lease_seconds, limit=_ANY)
        return taken

    async def renew(self, account_id: str, session_id: str) -> bool:
        """Go on holding a screen; false when it is not, or no longer, held."""
        own = await self.own.renew(_group(account_id), session_id, ttl=self.lease_seconds)
        try:
            return await self.cache.renew(_group(account_id), session_id, ttl=self.lease_seconds)
        except Busy:
            return own

    async def release(self, account_id: str, session_id: str) -> None:
        """Free a screen."""
        await self.own.release(_group(account_id), session_id)
        with suppress(Busy):  # then it runs out
            await self.cache.release(_group(account_id), session_id)

    async def holders(self, account_id: str) -> list[dict[str, Any]]:
        """What plays where, the longest running first: `session_id`, `video_id`, `title`, `device`, `started_at`."""
        try:
            held = await self.cache.leases(_group(account_id))
        except Busy:
            held = await self.own.leases(_group(account_id))
        return [json.loads(value) for value in held.values()]


def _group(account_id: str) -> str:
    return f"screens:{account_id}"
