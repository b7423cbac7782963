"""Screens: a lease in the cache for each session that plays, so that a plan's limit is counted atomically."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ottserver.clock import rfc3339

if TYPE_CHECKING:
    from ottserver.backends.cache import Cache
    from ottserver.playback.models import Session


@dataclass(frozen=True, slots=True)
class Screens:
    """The screens of all accounts. A lease lives `lease_seconds` after it was last renewed."""

    cache: Cache
    lease_seconds: float

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
        return await self.cache.lease(
            _group(session.account_id), session.id, value, ttl=self.lease_seconds, limit=session.screens
        )

    async def renew(self, account_id: str, session_id: str) -> bool:
        """Go on holding a screen; false when it is not, or no longer, held."""
        return await self.cache.renew(_group(account_id), session_id, ttl=self.lease_seconds)

    async def release(self, account_id: str, session_id: str) -> None:
        """Free a screen."""
        await self.cache.release(_group(account_id), session_id)

    async def holders(self, account_id: str) -> list[dict[str, Any]]:
        """What plays where, the longest running first: `session_id`, `video_id`, `title`, `device`, `started_at`."""
        return [json.loads(value) for value in (await self.cache.leases(_group(account_id))).values()]


def _group(account_id: str) -> str:
    return f"screens:{account_id}"
