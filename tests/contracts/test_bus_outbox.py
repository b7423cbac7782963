"""What holds for the embedded bus alone: its log is a table that it must trim and may not write to without need."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ottserver.backends.bus.outbox import OutboxBus, RetryPolicy
from ottserver.backends.database import open_database
from ottserver.backends.database.schema import consumer_failures, consumer_positions, outbox
from ottserver.events import AccountCreated, VideoChanged
from tests.contracts.facts import Witness, announce, created, delivering

if TYPE_CHECKING:
    from ottserver.backends.database import Database


async def _sequence(database: Database) -> list[int]:
    async with database.reading() as connection:
        return list(await connection.scalars(sa.select(outbox.c.seq).order_by(outbox.c.seq)))


async def test_trim_forgets_what_all_have_digested_and_keeps_what_somebody_needs(database: Database) -> None:
    bus = OutboxBus(database, RetryPolicy(attempts=1, keep=timedelta(0)))
    witness = Witness(p=1)
    bus.subscribe("c", AccountCreated, witness)
    async with delivering(bus):
        await announce(database, *created("a", 1), *created("p", 2), *created("a", 3))
    await announce(database, *created("a", 4))
    await bus.trim()
    assert await _sequence(database) == [2, 4]
    assert [parked.seq for parked in await bus.parked()] == [2]
    async with delivering(bus):
        await bus.retry("c", 2)
    assert witness.seen in (["a1", "a3", "p2", "a4"], ["a1", "a3", "a4", "p2"])


async def test_trim_keeps_everything_for_a_consumer_that_has_not_begun(database: Database) -> None:
    bus = OutboxBus(database, RetryPolicy(keep=timedelta(0)))
    bus.subscribe("old", AccountCreated, Witness())
    async with delivering(bus):
        await announce(database, *created("a", 1))
    bus.subscribe("new", AccountCreated, Witness())
    await bus.trim()
    assert await _sequence(database) == [1]


async def test_trim_keeps_what_is_young(database: Database) -> None:
    bus = OutboxBus(database)
    bus.subscribe("c", AccountCreated, Witness())
    async with delivering(bus):
        await announce(database, *created("a", 1))
    await bus.trim()
    assert await _sequence(database) == [1]


async def test_numbers_go_on_after_everything_was_trimmed(database: Database, database_url: str) -> None:
    bus = OutboxBus(database, RetryPolicy(keep=timedelta(0)))
    bus.subscribe("c", AccountCreated, Witness())
    async with delivering(bus):
        await announce(database, *created("a", 1, 2))
    await bus.trim()
    assert await _sequence(database) == []
    async with open_database(database_url) as again:
        await announce(again, *created("a", 3))
    assert await _sequence(database) == [3]


async def test_facts_of_no_concern_are_passed_over_without_a_write_for_each(database: Database) -> None:
    bus = OutboxBus(database)
    bus.subscribe("c", AccountCreated, Witness())
    async with delivering(bus):
        await announce(database, *(VideoChanged(str(number)) for number in range(10)))
    async with database.reading() as connection:
        assert await connection.scalar(sa.select(consumer_positions.c.position)) == 0
    async with delivering(bus):
        await announce(database, *(VideoChanged(str(number)) for number in range(100)), *created("a", 1))
    async with database.reading() as connection:
        assert await connection.scalar(sa.select(consumer_positions.c.position)) == 111
        assert await connection.scalar(sa.select(sa.func.count()).select_from(consumer_failures)) == 0
