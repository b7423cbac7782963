"""The rows that all home pages share: made once a second at most, and anew as soon as this process changes a video."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ottserver.catalog import store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy.ext.asyncio import AsyncConnection

    from ottserver.backends.database import Database, UnitOfWork
    from ottserver.catalog.models import Category, Video

FRESH_SECONDS = 1.0
"""How long what another process has changed may stay unseen."""
ROW_ITEMS = 20
GENRE_ROWS = 8
GENRE_ROW_NEEDS = 2


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is new, and the fullest genres with their newest videos."""

    newest: list[Video]
    genres: list[tuple[Category, list[Video]]]


class Shelves:
    """Remembers the shared rows."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        """Read from `database`; `clock` counts seconds."""
        self._database = database
        self._clock = clock
        self._turn = asyncio.Lock()
        self._made: Shelf | None = None
        self._made_at = 0.0
        self._changes = 0

    def stale(self) -> None:
        """Something has changed: make them anew."""
        self._changes += 1
        self._made = None

    async def now(self) -> Shelf:
        """The rows. However many ask at once, one makes them."""
        if (made := self._fresh()) is not None:
            return made
        async with self._turn:
            if (made := self._fresh()) is not None:
                return made
            began, changes = self._clock(), self._changes
            async with self._database.reading() as connection:
                newest = await store.newest(connection, ROW_ITEMS)
                genres, _ = await store.categories(connection, 0, GENRE_ROWS, at_least=GENRE_ROW_NEEDS)
                shelves = [(one, (await store.in_category(connection, one.slug, 0, ROW_ITEMS))[0]) for one in genres]
            made = Shelf(newest, shelves)
            if changes == self._changes:
                self._made, self._made_at = made, began
            return made

    def _fresh(self) -> Shelf | None:
        return self._made if self._clock() - self._made_at < FRESH_SECONDS else None

    def noticing(self, database: Database) -> Database:
        """The same database for whoever changes videos: after each transaction the rows are stale."""
        return _Noticing(database, self.stale)


@dataclass(frozen=True, slots=True)
class _Noticing:
    real: Database
    changed: Callable[[], None]

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self.real.reading()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[UnitOfWork]:
        try:
            async with self.real.writing() as work:
                yield work
        finally:
            self.changed()

    def on_announced(self, listener: Callable[[], None]) -> None:
        self.real.on_announced(listener)

    async def check(self) -> None:
        await self.real.check()
