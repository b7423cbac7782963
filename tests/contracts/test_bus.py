from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ottserver.backends.bus import Bus, open_bus
from ottserver.backends.bus.outbox import OutboxBus, RetryPolicy
from ottserver.backends.database.schema import outbox
from ottserver.errors import Busy, NotFound, SettingsError
from ottserver.events import AccountCreated, AccountDeleted, VideoChanged
from tests.contracts.conftest import line_from
from tests.contracts.facts import Broken, Witness, announce, created, delivering

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator

    from ottserver.backends.database import Database
    from tests.contracts.conftest import StartProcess

QUICK = RetryPolicy(attempts=3, first_pause_seconds=0.01, longest_pause_seconds=0.02)


@pytest.fixture
def quick(database: Database) -> OutboxBus:
    """The embedded bus, with short pauses."""
    return OutboxBus(database, QUICK)


async def test_facts_arrive_in_order_whenever_they_were_announced(bus: Bus, database: Database) -> None:
    witness = Witness()
    bus.subscribe("c", AccountCreated, witness)
    await announce(database, *created("a", 1, 2))
    async with delivering(bus):
        await announce(database, *created("a", 3), *created("b", 1))
    assert witness.seen == ["a1", "a2", "a3", "b1"]


async def test_every_consumer_gets_the_facts_it_subscribed_to_and_no_others(bus: Bus, database: Database) -> None:
    deleted: list[AccountDeleted] = []
    changed: list[VideoChanged] = []

    async def on_deleted(fact: AccountDeleted) -> None:
        deleted.append(fact)

    async def on_changed(fact: VideoChanged) -> None:
        changed.append(fact)

    bus.subscribe("one", AccountDeleted, on_deleted)
    bus.subscribe("two", AccountDeleted, on_deleted)
    bus.subscribe("two", VideoChanged, on_changed)
    async with delivering(bus):
        await announce(database, AccountDeleted("a"), VideoChanged("v"), *created("a", 1))
    assert deleted == [AccountDeleted("a")] * 2
    assert changed == [VideoChanged("v")]


async def test_change_that_is_rolled_back_announces_nothing(bus: Bus, database: Database) -> None:
    witness = Witness()
    bus.subscribe("c", AccountCreated, witness)

    async def give_up() -> None:
        async with database.writing() as work:
            await work.announce(AccountCreated("a", "lost"))
            raise Broken

    async with delivering(bus):
        with pytest.raises(Broken):
            await give_up()
        await announce(database, *created("a", 1))
    assert witness.seen == ["a1"]


async def test_digested_facts_do_not_come_again(bus_url: str, database: Database) -> None:
    witness = Witness()
    await announce(database, *created("a", 1))
    for role in (2, 3):
        bus = open_bus(bus_url, database)
        bus.subscribe("c", AccountCreated, witness)
        async with delivering(bus):
            await announce(database, *created("a", role))
    assert witness.seen == ["a1", "a2", "a3"]


async def test_consumers_keep_positions_of_their_own(bus_url: str, database: Database) -> None:
    first, second = Witness(), Witness()
    await announce(database, *created("a", 1))
    bus = open_bus(bus_url, database)
    bus.subscribe("first", AccountCreated, first)
    async with delivering(bus):
        pass
    bus = open_bus(bus_url, database)
    bus.subscribe("first", AccountCreated, first)
    bus.subscribe("second", AccountCreated, second)
    async with delivering(bus):
        pass
    assert first.seen == second.seen == ["a1"]


async def test_failed_fact_is_tried_again_and_keeps_its_place_in_its_key(quick: OutboxBus, database: Database) -> None:
    witness = Witness(a=2)
    quick.subscribe("c", AccountCreated, witness)
    async with delivering(quick):
        await announce(database, *created("a", 1, 2, 3), *created("b", 1))
    assert witness.of("a") == ["a1", "a2", "a3"]
    assert witness.tries.count("a1") == 3
    assert await quick.parked() == []


async def test_other_keys_do_not_wait_for_a_failed_fact(database: Database) -> None:
    bus = OutboxBus(database, RetryPolicy(attempts=9, first_pause_seconds=3600, longest_pause_seconds=3600))
    witness, done = Witness(a=9), asyncio.Event()

    async def handle(fact: AccountCreated) -> None:
        await witness(fact)
        if fact.account_id == "z":
            done.set()

    bus.subscribe("c", AccountCreated, handle)
    async with asyncio.timeout(30), bus.running():
        await announce(database, *created("a", 1, 2), *created("b", 1), *created("z", 1))
        await done.wait()
    assert witness.seen == ["b1", "z1"]
    assert witness.tries == ["a1", "b1", "z1"]


async def test_poison_fact_is_parked_where_it_can_be_seen_and_those_behind_it_go_on(
    quick: OutboxBus, database: Database
) -> None:
    witness = Witness(a=3)
    quick.subscribe("c", AccountCreated, witness)
    async with delivering(quick):
        await announce(database, *created("a", 1, 2), *created("b", 1))
    assert witness.of("a") == ["a2"]
    assert witness.of("b") == ["b1"]
    (parked,) = await quick.parked()
    assert (parked.consumer, parked.type, parked.key, parked.attempts) == ("c", "AccountCreated", "a", 3)
    assert parked.error == "Broken: 1"


async def test_fact_waits_for_what_its_handler_needs_however_long_that_is_away(
    quick: OutboxBus, database: Database
) -> None:
    witness, away = Witness(), 3 * QUICK.attempts

    async def handle(fact: AccountCreated) -> None:
        nonlocal away
        if away:
            away -= 1
            message = "The disk is full."
            raise Busy(message)
        await witness(fact)

    quick.subscribe("c", AccountCreated, handle)
    async with delivering(quick):
        await announce(database, *created("a", 1, 2))
    assert witness.seen == ["a1", "a2"]
    assert await quick.parked() == []


async def test_parked_fact_comes_again_when_somebody_asks_for_it(quick: OutboxBus, database: Database) -> None:
    witness = Witness(a=3)
    quick.subscribe("c", AccountCreated, witness)
    async with delivering(quick):
        await announce(database, *created("a", 1))
    (parked,) = await quick.parked()
    async with delivering(quick):
        await quick.retry("c", parked.seq)
    assert witness.seen == ["a1"]
    assert await quick.parked() == []
    with pytest.raises(NotFound):
        await quick.retry("c", parked.seq)


async def test_payload_that_cannot_be_read_is_parked(quick: OutboxBus, database: Database) -> None:
    witness = Witness()
    quick.subscribe("c", AccountCreated, witness)
    await announce(database, *created("a", 1), *created("b", 1))
    async with database.writing() as work:
        await work.connection.execute(outbox.update().where(outbox.c.aggregateid == "a").values(payload="{"))
    async with delivering(quick):
        pass
    assert witness.seen == ["b1"]
    assert [parked.key for parked in await quick.parked()] == ["a"]


async def test_handler_that_never_ends_fails(database: Database) -> None:
    bus = OutboxBus(database, RetryPolicy(attempts=1, longest_handler_seconds=0.01))
    witness = Witness()

    async def handle(fact: AccountCreated) -> None:
        if fact.account_id == "a":
            await asyncio.Event().wait()
        await witness(fact)

    bus.subscribe("c", AccountCreated, handle)
    async with delivering(bus):
        await announce(database, *created("a", 1), *created("b", 1))
    assert witness.seen == ["b1"]
    assert [parked.key for parked in await bus.parked()] == ["a"]


async def test_pauses_grow_up_to_the_longest() -> None:
    policy = RetryPolicy(first_pause_seconds=0.5, longest_pause_seconds=3)
    assert [policy.pause(attempt).total_seconds() for attempt in (1, 2, 3, 4, 5000)] == [0.5, 1, 2, 3, 3]


async def test_leaving_finishes_the_fact_in_hand(bus: Bus, database: Database) -> None:
    begun, seen = asyncio.Event(), []

    async def handle(fact: AccountCreated) -> None:
        begun.set()
        await asyncio.sleep(0.05)
        seen.append(fact.role)

    bus.subscribe("c", AccountCreated, handle)
    await announce(database, *created("a", 1))
    async with bus.running():
        await begun.wait()
    assert seen == ["1"]
    async with delivering(bus):
        pass
    assert seen == ["1"]


ANNOUNCE = """
import asyncio, sys
from ottserver.backends.database import open_database
from ottserver.events import AccountCreated

async def main():
    async with open_database(sys.argv[1]) as database:
        for number in range(3):
            async with database.writing() as work:
                await work.announce(AccountCreated("a", str(number)))

asyncio.run(main())
"""


async def test_facts_of_another_process_arrive(bus: Bus, database_url: str, start_process: StartProcess) -> None:
    witness, done = Witness(), asyncio.Event()

    async def handle(fact: AccountCreated) -> None:
        await witness(fact)
        if len(witness.seen) == 3:
            done.set()

    bus.subscribe("c", AccountCreated, handle)
    async with asyncio.timeout(30), bus.running():
        start_process(ANNOUNCE, database_url)
        await done.wait()
    assert witness.seen == ["a0", "a1", "a2"]


CONSUME = """
import asyncio, os, signal, sys
from ottserver.backends.bus import open_bus
from ottserver.backends.database import open_database
from ottserver.events import AccountCreated

async def handle(fact):
    print(fact.role, flush=True)
    if fact.role == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with open_database(sys.argv[1]) as database:
        bus = open_bus(sys.argv[2], database)
        bus.subscribe("c", AccountCreated, handle)
        async with bus.running():
            await bus.drained()

asyncio.run(main())
"""


async def test_killed_consumer_loses_no_fact_and_repeats_only_the_one_in_hand(
    bus_url: str, database: Database, database_url: str, start_process: StartProcess
) -> None:
    await announce(database, *created("a", 1, 2), *created("b", 3), *created("a", 4, 5))
    runs = []
    for last in ("2", "4", "none"):
        process = start_process(CONSUME, database_url, bus_url, last)
        runs.append([line async for line in _lines(process)])
    assert runs == [["1", "2"], ["2", "3", "4"], ["4", "5"]]


async def _lines(process: subprocess.Popen[str]) -> AsyncIterator[str]:
    while line := await line_from(process):
        yield line


@pytest.mark.parametrize("url", ["pigeon://", "outbox", ""])
async def test_unknown_scheme_is_refused_in_a_sentence(url: str, database: Database) -> None:
    with pytest.raises(SettingsError, match="bus_url"):
        open_bus(url, database)
