"""What only a database in a file can meet."""

from __future__ import annotations

import asyncio
import importlib
import signal
import sqlite3
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from ottserver.backends.database import migrate, open_database, sqlite
from ottserver.backends.database.migrate import migrate_sqlite
from ottserver.backends.database.schema import metadata
from ottserver.errors import Busy, SettingsError
from tests.contracts.conftest import line_from
from tests.support.server import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contracts.conftest import StartProcess


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "ottserver.db"


def test_migrations_make_the_declared_tables(path: Path) -> None:
    for store in sorted((ROOT / "ottserver").glob("*/store.py")):
        importlib.import_module(f"ottserver.{store.parent.name}.store")
    migrate_sqlite(path)
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


KILLED_WHILE_MIGRATING = """
import os, signal, sys
from pathlib import Path
import sqlalchemy as sa
from ottserver.backends.database.migrate import migrate_sqlite

@sa.event.listens_for(sa.Engine, "before_cursor_execute")
def kill(connection, cursor, statement, parameters, context, executemany):
    if "CREATE TABLE sources" in statement:
        os.kill(os.getpid(), 9)

migrate_sqlite(Path(sys.argv[1]))
"""


async def test_process_killed_while_migrating_leaves_a_database_that_starts(
    path: Path, start_process: StartProcess
) -> None:
    process = start_process(KILLED_WHILE_MIGRATING, str(path))
    assert await asyncio.to_thread(process.wait) == -signal.SIGKILL
    async with open_database(f"sqlite:///{path}") as database:
        await database.check()


async def test_database_in_use_can_be_opened_again(path: Path) -> None:
    url = f"sqlite:///{path}"
    async with open_database(url) as first, first.writing() as work:
        await work.connection.execute(sa.text("DELETE FROM consumer_positions"))
    async with open_database(url) as one, open_database(url) as other:
        await one.check()
        await other.check()


@pytest.mark.parametrize(
    "content", [b"This is a letter, not a database. " * 100, b"SQLite format 3\0" + b"\xff" * 5000]
)
async def test_file_that_is_no_database_is_refused_in_a_sentence(path: Path, content: bytes) -> None:
    await asyncio.to_thread(path.parent.mkdir)
    await asyncio.to_thread(path.write_bytes, content)
    with pytest.raises(SettingsError, match=r"database_url: .* cannot be used as a SQLite database"):
        async with open_database(f"sqlite:///{path}"):
            pass
    assert await asyncio.to_thread(path.read_bytes) == content


async def test_file_that_another_program_keeps_locked_is_called_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "LOCK_WAIT_MS", 10)
    async with open_database(f"sqlite:///{path}"):
        pass
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(SettingsError, match=r"database_url: another program keeps .*ottserver\.db locked"):
        async with open_database(f"sqlite:///{path}"):
            pass
    other.close()


async def test_folder_that_cannot_be_made_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingsError, match=r"database_url: .*ottserver\.db cannot be written"):
        async with open_database(f"sqlite:///{tmp_path}/file/folder/ottserver.db"):
            pass


async def test_folder_in_the_place_of_the_file_is_refused_in_a_sentence(path: Path) -> None:
    await asyncio.to_thread(path.mkdir, parents=True)
    with pytest.raises(SettingsError, match="database_url"):
        async with open_database(f"sqlite:///{path}"):
            pass


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite://host/file.db", "sqlite:///:memory:"])
async def test_address_that_names_no_file_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(SettingsError, match="names no file"):
        async with open_database(url):
            pass


async def test_only_one_writer_is_at_work_at_a_time(path: Path) -> None:
    inside = most = 0
    async with open_database(f"sqlite:///{path}") as database:

        async def write() -> None:
            nonlocal inside, most
            async with database.writing() as work:
                inside += 1
                most = max(most, inside)
                await work.connection.execute(sa.text("DELETE FROM consumer_positions"))
                inside -= 1

        await asyncio.gather(*(write() for _ in range(50)))
    assert most == 1


async def test_writer_whose_turn_does_not_come_is_told_to_come_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_database(f"sqlite:///{path}") as database, database.writing():
        monkeypatch.setattr(sqlite, "WRITER_WAIT_SECONDS", 0.01)
        with pytest.raises(Busy):
            async with database.writing():
                pass


async def test_lock_of_another_process_that_does_not_end_is_busy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 10)
    async with open_database(f"sqlite:///{path}") as database:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy):
            async with database.writing() as work:
                await work.connection.execute(sa.text("DELETE FROM consumer_positions"))
        await database.check()
        other.execute("ROLLBACK")
        other.close()
        async with database.writing() as work:
            await work.connection.execute(sa.text("DELETE FROM consumer_positions"))


@pytest.mark.parametrize("steps", range(12))
async def test_transaction_that_is_broken_off_anywhere_leaves_no_lock_and_no_trace(path: Path, steps: int) -> None:
    async with open_database(f"sqlite:///{path}") as database:
        insert = sa.text("INSERT INTO consumer_positions (consumer, position) VALUES (:name, 1)")

        async def write() -> None:
            async with database.writing() as work:
                await work.connection.execute(insert, [{"name": "a"}, {"name": "b"}])
                await work.connection.execute(sa.text("SELECT 1"))

        task = asyncio.create_task(write())
        for _ in range(steps):
            await asyncio.sleep(0.0005)
        task.cancel()
        broken_off = isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
        async with database.writing() as work:
            await work.connection.execute(insert, {"name": "c"})
        other = sqlite3.connect(path, timeout=0.1)
        other.execute("BEGIN IMMEDIATE")
        found = {name for (name,) in other.execute("SELECT consumer FROM consumer_positions")} & {"a", "b", "c"}
        other.close()
        # One that was being committed when it was broken off may have been; never a part of it.
        assert found in ({"c"}, {"a", "b", "c"}) if broken_off else found == {"a", "b", "c"}


async def test_transaction_that_cannot_be_committed_is_rolled_back(path: Path) -> None:
    async with open_database(f"sqlite:///{path}") as database:
        async with database.writing() as work:
            await work.connection.execute(sa.text("CREATE TABLE parents (id INTEGER PRIMARY KEY)"))
            child = "CREATE TABLE children (id INTEGER REFERENCES parents DEFERRABLE INITIALLY DEFERRED)"
            await work.connection.execute(sa.text(child))
        with pytest.raises(sa.exc.IntegrityError):
            async with database.writing() as work:
                await work.connection.execute(sa.text("INSERT INTO children VALUES (1)"))
        other = sqlite3.connect(path, timeout=0.1)
        other.execute("BEGIN IMMEDIATE")
        other.close()
        async with database.writing() as work:
            assert await work.connection.scalar(sa.text("SELECT count(*) FROM children")) == 0


async def test_mistake_in_our_own_sql_is_not_called_busy(path: Path) -> None:
    async with open_database(f"sqlite:///{path}") as database:
        for statement in ("SELECT * FROM nothing", "SELEC 1", "SELECT nothing FROM outbox"):
            with pytest.raises(sa.exc.OperationalError):
                async with database.reading() as connection:
                    await connection.execute(sa.text(statement))


HOLDS_THE_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
"""


async def test_writer_waits_for_another_process(path: Path, start_process: StartProcess) -> None:
    async with open_database(f"sqlite:///{path}") as database:
        process = start_process(HOLDS_THE_LOCK, str(path))
        assert await line_from(process) == "held"

        async def write() -> None:
            async with database.writing() as work:
                await work.connection.execute(sa.text("DELETE FROM consumer_positions"))

        task = asyncio.create_task(write())
        await asyncio.sleep(0.05)
        assert not task.done()
        await asyncio.to_thread(process.communicate, "done\n")
        async with asyncio.timeout(20):
            await task
