from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from ottserver.backends.database import Database, open_database
from ottserver.backends.database.schema import consumer_positions as table, outbox
from ottserver.errors import SettingsError
from ottserver.events import AccountDeleted
from tests.contracts.conftest import line_from

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from tests.contracts.conftest import StartProcess


class Abandoned(Exception):
    """What a block raises to be rolled back."""


async def _count(connection: AsyncConnection) -> int:
    return await connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


async def _add(connection: AsyncConnection, name: str, position: int = 0) -> None:
    await connection.execute(table.insert().values(consumer=name, position=position))


async def _counted(database: Database) -> int:
    async with database.reading() as connection:
        return await _count(connection)


async def _announced(database: Database) -> int:
    async with database.reading() as connection:
        return await connection.scalar(sa.select(sa.func.count()).select_from(outbox)) or 0


async def test_change_is_read_once_its_block_has_ended(database: Database) -> None:
    async with database.writing() as work:
        await _add(work.connection, "a")
        assert await _counted(database) == 0
    assert await _counted(database) == 1


async def test_block_that_raises_changes_and_announces_nothing(database: Database) -> None:
    woken: list[None] = []
    database.on_announced(lambda: woken.append(None))

    async def give_up() -> None:
        async with database.writing() as work:
            await _add(work.connection, "a")
            await work.announce(AccountDeleted("1"))
            raise Abandoned

    with pytest.raises(Abandoned):
        await give_up()
    assert await _counted(database) == 0
    assert await _announced(database) == 0
    assert woken == []


async def test_listeners_hear_of_commits_that_announced_facts_and_of_no_others(database: Database) -> None:
    woken: list[None] = []
    database.on_announced(lambda: woken.append(None))
    async with database.writing() as work:
        await _add(work.connection, "a")
    assert woken == []
    async with database.writing() as work:
        await work.announce(AccountDeleted("1"))
        assert woken == []
    assert woken == [None]
    assert await _announced(database) == 1


async def test_fifty_writers_at_once_lose_no_update(database: Database) -> None:
    async with database.writing() as work:
        await _add(work.connection, "counter")

    async def step() -> None:
        async with database.writing() as work:
            await work.connection.execute(table.update().values(position=table.c.position + 1))

    await asyncio.gather(*(step() for _ in range(50)))
    async with database.reading() as connection:
        assert await connection.scalar(sa.select(table.c.position)) == 50


async def test_reader_sees_one_moment(database: Database) -> None:
    async with database.reading() as connection:
        assert await _count(connection) == 0
        async with database.writing() as work:
            await _add(work.connection, "a")
        assert await _count(connection) == 0
    assert await _counted(database) == 1


async def test_readers_do_not_wait_for_a_writer(database: Database) -> None:
    async with database.writing() as work:
        await _add(work.connection, "a")
        async with asyncio.timeout(10):
            assert await asyncio.gather(*(_counted(database) for _ in range(20))) == [0] * 20


async def test_writer_does_not_wait_for_readers(database: Database) -> None:
    async with database.reading() as connection:
        await _count(connection)
        async with asyncio.timeout(10), database.writing() as work:
            await _add(work.connection, "a")
    assert await _counted(database) == 1


async def test_writer_that_is_cancelled_at_work_changes_nothing_and_gives_its_turn_away(database: Database) -> None:
    begun = asyncio.Event()

    async def hang() -> None:
        async with database.writing() as work:
            await _add(work.connection, "a")
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(10), database.writing() as work:
        assert await _count(work.connection) == 0


async def test_writer_that_is_cancelled_while_it_waits_keeps_nobody_waiting(database: Database) -> None:
    async def write(name: str) -> None:
        async with database.writing() as work:
            await _add(work.connection, name)

    async with database.writing() as work:
        waiting = [asyncio.create_task(write(str(number))) for number in range(5)]
        await asyncio.sleep(0)
        for task in waiting[::2]:
            task.cancel()
        await asyncio.sleep(0)
        await _add(work.connection, "first")
    async with asyncio.timeout(10):
        await asyncio.gather(*waiting, return_exceptions=True)
    assert await _counted(database) == 3


async def test_writers_cancelled_at_any_step_leave_whole_transactions_only(database: Database) -> None:
    chance = random.Random(7)
    finished: list[int] = []

    async def write(number: int) -> None:
        async with database.writing() as work:
            await _add(work.connection, f"{number} left")
            await work.announce(AccountDeleted(str(number)))
            await _add(work.connection, f"{number} right")
        finished.append(number)

    for start in range(0, 200, 10):
        tasks = [asyncio.create_task(write(number)) for number in range(start, start + 10)]
        for task in tasks:
            for _ in range(chance.randrange(12)):
                await asyncio.sleep(0)
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random() / 200)
            task.cancel()
            if chance.random() < 0.5:
                await asyncio.sleep(0)
                task.cancel()
        async with asyncio.timeout(20):
            await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(10), database.writing() as work:
        names = set(await work.connection.scalars(sa.select(table.c.consumer)))
        facts = set(await work.connection.scalars(sa.select(outbox.c.aggregateid)))
    whole = {name.split()[0] for name in names}
    assert names == {f"{number} {side}" for number in whole for side in ("left", "right")}
    assert facts == whole
    assert {str(number) for number in finished} <= whole


async def test_readers_cancelled_at_any_step_do_not_use_up_the_connections(database: Database) -> None:
    chance = random.Random(8)
    for _ in range(30):
        tasks = [asyncio.create_task(_counted(database)) for _ in range(6)]
        for task in tasks:
            await asyncio.sleep(chance.random() / 1000)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(10):
        assert await asyncio.gather(*(_counted(database) for _ in range(8))) == [0] * 8


IN_A_TRANSACTION = """
import asyncio, sys
from ottserver.backends.database import open_database
from ottserver.backends.database.schema import consumer_positions
from ottserver.events import AccountDeleted

async def main():
    async with open_database(sys.argv[1]) as database, database.writing() as work:
        await work.connection.execute(consumer_positions.insert().values(consumer="a", position=1))
        await work.announce(AccountDeleted("1"))
        print("written", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_process_killed_in_a_transaction_leaves_nothing_and_holds_nobody_up(
    database: Database, database_url: str, start_process: StartProcess
) -> None:
    process = start_process(IN_A_TRANSACTION, database_url)
    assert await line_from(process) == "written"
    process.kill()
    await asyncio.to_thread(process.wait)
    async with asyncio.timeout(20), database.writing() as work:
        assert await _count(work.connection) == 0
        await _add(work.connection, "a")
    assert await _announced(database) == 0


OPEN = """
import asyncio, sys
from ottserver.backends.database import open_database

async def main():
    async with open_database(sys.argv[1]) as database:
        await database.check()
        print("open", flush=True)

sys.stdin.readline()
asyncio.run(main())
"""


async def test_processes_that_start_at_once_all_find_the_schema(database_url: str, start_process: StartProcess) -> None:
    processes = [start_process(OPEN, database_url) for _ in range(3)]
    for process in processes:
        if process.stdin is not None:
            process.stdin.write("go\n")
            process.stdin.flush()
    assert [await line_from(process) for process in processes] == ["open"] * 3


async def test_schema_of_a_newer_version_is_refused_in_a_sentence(database_url: str) -> None:
    async with open_database(database_url) as database, database.writing() as work:
        await work.connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SettingsError, match="newer version of ottserver"):
        async with open_database(database_url):
            pass


async def test_check_passes_on_an_open_database(database: Database) -> None:
    await database.check()


@pytest.mark.parametrize("url", ["oracle://host/db", "ottserver.db", ""])
def test_unknown_scheme_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(SettingsError, match="database_url"):
        open_database(url)
