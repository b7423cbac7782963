"""Sessions that have ended, for as long as access tokens issued to them have not expired by themselves.

What ended is in the database, which every start reads; in the cache, which all processes share; and in this process's
memory. A token is checked against memory, then the cache. While the cache cannot be asked, the database is. While
neither answers, a token that this process has not seen ended is good, so that playing goes on through an outage: for at
most the life of a token.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from ottserver.accounts.store import SessionStore
from ottserver.clock import utcnow
from ottserver.errors import Busy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ottserver.backends.cache import Cache
    from ottserver.backends.database import Database

log = logging.getLogger(__name__)

REMEMBERED_LIMIT = 100_000
DATABASE_WAIT_SECONDS = 2.0


class Revocations:
    """Knows which sessions' access tokens are refused."""

    def __init__(self, database: Database, cache: Cache, seconds: int) -> None:
        """`seconds` is the life of an access token."""
        self._database = database
        self._cache = cache
        self._seconds = seconds
        self._ended: dict[str, float] = {}
        self._cache_answers = True

    async def load(self) -> None:
        """Learn what ended before this start. Raises `Busy` when the database does not answer."""
        now = utcnow()
        async with self._database.reading() as connection:
            ended = await SessionStore(connection).ended_since(now - timedelta(seconds=self._seconds))
        await self._refuse(
            {session.id: self._seconds - (now - (session.ended_at or now)).total_seconds() for session in ended}
        )

    async def add(self, session_ids: Iterable[str]) -> None:
        """Refuse these sessions' access tokens from now on, in every process."""
        await self._refuse(dict.fromkeys(session_ids, self._seconds))

    async def _refuse(self, sessions: Mapping[str, float]) -> None:
        for session_id, ttl in sessions.items():  # before anything is awaited: a cancelled request must not lose one
            self._remember(session_id, ttl)
        for session_id, ttl in sessions.items():
            try:
                await self._cache.put(_key(session_id), b"1", ttl)
            except Exception:
                # The session has ended in the database, which is asked while the cache is away.
                log.exception("the cache did not take the end of a session")

    def _remember(self, session_id: str, ttl: float) -> None:
        now = time.monotonic()
        while self._ended:
            oldest = next(iter(self._ended))
            if self._ended[oldest] > now and len(self._ended) < REMEMBERED_LIMIT:
                break
            del self._ended[oldest]
        self._ended[session_id] = now + ttl

    async def has(self, session_id: str) -> bool:
        """Whether the session has ended."""
        if session_id in self._ended:
            return True
        try:
            ended = await self._cache.get(_key(session_id)) is not None
        except Exception:
            if self._cache_answers:
                log.exception("the cache cannot be asked; the database says which sessions have ended")
            self._cache_answers = False
            return await self._ended_in_database(session_id)
        self._cache_answers = True
        return ended

    async def _ended_in_database(self, session_id: str) -> bool:
        try:
            async with asyncio.timeout(DATABASE_WAIT_SECONDS), self._database.reading() as connection:
                session = await SessionStore(connection).get(session_id)
        except (Busy, TimeoutError):
            return False
        return session is None or session.ended_at is not None


def _key(session_id: str) -> str:
    return f"accounts:ended:{session_id}"
