"""SQLite through aiosqlite: write-ahead log, one writer at a time, readers that never wait for it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from ottserver.backends.database.engine import SqlUnitOfWork
from ottserver.backends.database.migrate import migrate_sqlite
from ottserver.backends.database.trips import DRIVER
from ottserver.errors import Busy, SettingsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncConnection

log = logging.getLogger(__name__)

READERS = 4
READS, WRITES = "BEGIN", "BEGIN IMMEDIATE"
WRITER_WAIT_SECONDS = 15.0
BUSY_TIMEOUT_MS = 10_000
"""How long SQLite waits for a writer in another process, such as an import beside the server."""


def sqlite_path(url: str) -> Path:
    """The file that `sqlite:///relative` or `sqlite:////absolute` names. Raises `SettingsError`."""
    parts = urlsplit(url)
    path = unquote(parts.path[1:])
    if parts.netloc or not path or path == ":memory:":
        message = f"database_url: {url!r} names no file; use sqlite:///folder/file.db"
        raise SettingsError(message)
    return Path(path)


def _engine(path: Path, *, begin: str, size: int) -> AsyncEngine:
    engine = create_async_engine(
        sa.URL.create(DRIVER, database=str(path)),
        poolclass=AsyncAdaptedQueuePool,
        pool_size=size,
        max_overflow=0,
        pool_timeout=WRITER_WAIT_SECONDS,
    )

    @sa.event.listens_for(engine.sync_engine, "connect")
    def _connect(connection: DBAPIConnection, _record: object) -> None:
        # The driver's own transaction handling would begin too late and never IMMEDIATE (SQLAlchemy's pysqlite notes).
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "wal_autocheckpoint=1000",
            "secure_delete=ON",  # an erased account leaves no readable rest in free pages
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        connection.only_reads = begin == READS

    @sa.event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        line: Any = connection.connection.dbapi_connection
        line.begin(begin)

    return engine


_TROUBLE = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)


class SqliteDatabase:
    """Implements `ottserver.backends.database.Database` on one file."""

    def __init__(self, path: Path) -> None:
        """Prepare the two pools; nothing is opened before it is used."""
        self._reader = _engine(path, begin=READS, size=READERS)
        self._writer = _engine(path, begin=WRITES, size=1)
        self._turn = asyncio.Lock()
        self._listeners: list[Callable[[], None]] = []

    def on_announced(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each commit of this process that announced facts."""
        self._listeners.append(listener)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection with one consistent snapshot."""
        try:
            async with self._reader.begin() as connection:
                yield connection
        except _TROUBLE as error:
            _fail(error)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[SqlUnitOfWork]:
        """The one write transaction. Raises `Busy` when the database cannot be written to in time."""
        try:
            async with asyncio.timeout(WRITER_WAIT_SECONDS):
                await self._turn.acquire()
        except TimeoutError as error:
            _fail(error)
        try:
            async with self._writer.begin() as connection:
                work = SqlUnitOfWork(connection)
                yield work
        except _TROUBLE as error:
            _fail(error)
        finally:
            self._turn.release()
        if work.announced_any:
            for listener in self._listeners:
                listener()

    async def check(self) -> None:
        """Raise when the file cannot be read."""
        async with self.reading() as connection:
            await connection.execute(sa.text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection."""
        await self._reader.dispose()
        await self._writer.dispose()


def _fail(error: Exception) -> NoReturn:
    """Raise `Busy` for a state of the world, which is worth another try; a defect in our SQL stays what it is."""
    if isinstance(error, sa.exc.DBAPIError) and _code(error) == sqlite3.SQLITE_ERROR:
        raise error
    reason = str(getattr(error, "orig", None) or error) or "whoever writes to it has not come to an end"
    log.warning("the database cannot be used: %s", reason)
    message = "The database cannot be reached at the moment; try again shortly."
    raise Busy(message, retry_after=5.0) from error


def _code(error: sa.exc.DBAPIError) -> int | None:
    """SQLite's primary result code (https://sqlite.org/rescode.html), where the error is SQLite's own."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


@asynccontextmanager
async def open_sqlite(url: str) -> AsyncIterator[SqliteDatabase]:
    """Migrate the file to the current schema, then open it. Raises `SettingsError` when that is impossible."""
    path = sqlite_path(url)
    await asyncio.to_thread(migrate_sqlite, path)
    database = SqliteDatabase(path)
    try:
        yield database
    finally:
        await database.close()
