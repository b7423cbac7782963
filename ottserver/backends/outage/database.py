"""Any database behind a breaker: while it is away nobody waits for it in vain."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ottserver.backends.outage.breaker import Breaker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from ottserver.backends.database import Database, UnitOfWork
    from ottserver.backends.outage.breaker import BackendMetrics


READING_SECONDS = 10.0
WRITING_SECONDS = 30.0
"""To begin: whoever has less patience says so. A writer may wait for its turn, and for an import beside the server."""


class GuardedDatabase:
    """Implements `ottserver.backends.database.Database` over another one.

    Readings say whether
    the database is there. A writing that fails does not: the disk may be full, or another process may be writing.
    """

    def __init__(self, real: Database, metrics: BackendMetrics) -> None:
        """Guard `real`."""
        self._real = real
        self._breaker = Breaker("database", metrics, wait_seconds=READING_SECONDS)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for queries. Raises `Busy` at once while the database is away."""
        context = self._real.reading()
        connection = await self._breaker.run(context.__aenter__)
        try:
            yield connection
        except BaseException:
            if not await context.__aexit__(*sys.exc_info()):
                raise
        else:
            await context.__aexit__(None, None, None)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[UnitOfWork]:
        """A transaction. Raises `Busy` at once while the database is away."""
        if self._breaker.is_open:
            async with self.reading():  # one of those who try it tells whether it is back
                pass
        context = self._real.writing()
        try:
            async with asyncio.timeout(WRITING_SECONDS):
                work = await context.__aenter__()
        except TimeoutError as error:
            raise self._breaker.away() from error
        try:
            yield work
        except BaseException:
            if not await context.__aexit__(*sys.exc_info()):
                raise
        else:
            await context.__aexit__(None, None, None)

    def on_announced(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each commit of this process that announced facts."""
        self._real.on_announced(listener)

    async def check(self) -> None:
        """Raise when the database cannot be reached; asks it even while nobody else does."""
        await self._real.check()
        self._breaker.worked()
