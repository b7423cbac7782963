"""One consumer's reading of the outbox table: its position, and the facts it has laid aside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ottserver.backends.database.schema import consumer_failures as failures, consumer_positions as positions, outbox
from ottserver.clock import utcnow

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from ottserver.backends.database import Database


@dataclass(frozen=True, slots=True)
class LoggedFact:
    """A row of the outbox, and how often this consumer has tried it in vain."""

    seq: int
    id: str
    key: str
    type: str
    payload: str
    attempts: int = 0


class ConsumerLog:
    """What consumer `name` has read, has still to read and has to try again."""

    def __init__(self, database: Database, name: str) -> None:
        """Start where the database says that this consumer stopped."""
        self._database = database
        self._name = name
        self._stored = 0
        self.position = 0

    async def load(self) -> None:
        """Read the stored position; a new consumer's, before the first fact, is stored so that nothing is trimmed."""
        async with self._database.reading() as connection:
            stored = await connection.scalar(sa.select(positions.c.position).where(positions.c.consumer == self._name))
        if stored is None:
            await self.move_to(0)
        else:
            self.position = self._stored = stored

    async def unread(self, limit: int) -> list[LoggedFact]:
        """The next facts behind the position, oldest first."""
        query = sa.select(outbox).where(outbox.c.seq > self.position).order_by(outbox.c.seq).limit(limit)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [LoggedFact(r.seq, r.id, r.aggregateid, r.type, r.payload) for r in rows]

    async def due(self) -> LoggedFact | None:
        """The oldest laid-aside fact whose time has come and which is the first of its key."""
        mine = failures.alias()
        query = (
            sa.select(outbox, mine.c.attempts)
            .join(mine, mine.c.seq == outbox.c.seq)
            .where(self._first_of_key(mine), mine.c.next_attempt_at <= utcnow())
            .order_by(outbox.c.seq)
            .limit(1)
        )
        async with self._database.reading() as connection:
            r = (await connection.execute(query)).first()
        return None if r is None else LoggedFact(r.seq, r.id, r.aggregateid, r.type, r.payload, r.attempts)

    async def next_due(self) -> datetime | None:
        """When the next laid-aside fact may be tried; those behind another of their key wait for that one."""
        mine = failures.alias()
        query = sa.select(sa.func.min(mine.c.next_attempt_at)).where(self._first_of_key(mine))
        async with self._database.reading() as connection:
            moment: datetime | None = await connection.scalar(query)
        return moment

    def _first_of_key(self, mine: sa.FromClause) -> sa.ColumnElement[bool]:
        earlier = failures.alias()
        behind = sa.exists().where(
            earlier.c.consumer == self._name,
            earlier.c.aggregateid == mine.c.aggregateid,
            earlier.c.parked_at.is_(None),
            earlier.c.seq < mine.c.seq,
        )
        return sa.and_(mine.c.consumer == self._name, mine.c.parked_at.is_(None), ~behind)

    async def is_blocked(self, key: str) -> bool:
        """Whether an earlier fact of this key still waits for its next try."""
        query = sa.select(sa.func.count()).where(
            failures.c.consumer == self._name, failures.c.aggregateid == key, failures.c.parked_at.is_(None)
        )
        async with self._database.reading() as connection:
            return bool(await connection.scalar(query))

    async def move_to(self, seq: int) -> None:
        """Store the position."""
        async with self._database.writing() as work:
            await self._store_position(work.connection, seq)
        self.position = self._stored = seq

    async def skip_to(self, seq: int, *, lag: int) -> None:
        """Move past facts of no concern. Stored only every `lag` facts: skipping them again costs next to nothing."""
        if seq - self._stored >= lag:
            await self.move_to(seq)
        else:
            self.position = seq

    async def lay_aside(self, fact: LoggedFact, *, error: str, again_at: datetime, parked: bool = False) -> None:
        """Remember a fact that failed (or waits behind one that did), and move past it."""
        values = {
            "attempts": fact.attempts,
            "next_attempt_at": again_at,
            "error": error[:2000],
            "parked_at": utcnow() if parked else None,
        }
        ahead = max(self.position, fact.seq)
        mine = sa.and_(failures.c.consumer == self._name, failures.c.seq == fact.seq)
        async with self._database.writing() as work:
            updated = await work.connection.execute(failures.update().where(mine).values(values))
            if updated.rowcount == 0:
                await work.connection.execute(
                    failures.insert().values(consumer=self._name, seq=fact.seq, aggregateid=fact.key, **values)
                )
            await self._store_position(work.connection, ahead)
        self.position = self._stored = ahead

    async def digested(self, fact: LoggedFact) -> None:
        """A laid-aside fact succeeded: forget that it failed."""
        async with self._database.writing() as work:
            await work.connection.execute(
                failures.delete().where(failures.c.consumer == self._name, failures.c.seq == fact.seq)
            )

    async def _store_position(self, connection: AsyncConnection, seq: int) -> None:
        mine = positions.c.consumer == self._name
        updated = await connection.execute(positions.update().where(mine).values(position=seq))
        if updated.rowcount == 0:
            await connection.execute(positions.insert().values(consumer=self._name, position=seq))
