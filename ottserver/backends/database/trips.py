"""SQLAlchemy's aiosqlite dialect with one trip to the connection's thread for each statement, instead of four.

A trip wakes a thread and then the event loop again, and costs several times what most of our statements do. So a
statement runs in one, its cursor, its rows and the BEGIN before it included; a rollback, and the end of a transaction
that only read, are sent and not waited for: the thread does one thing after the other. What is sent cannot be broken
off either, so that a cancelled task leaves no transaction open.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
    SQLiteDialect_aiosqlite,
)
from sqlalchemy.util import EMPTY_DICT
from sqlalchemy.util.concurrency import await_

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

DRIVER = "sqlite+trips"


class _Found(NamedTuple):
    """What a statement left behind."""

    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None
    rows: Sequence[Any] = ()


_NOTHING = _Found()


def _run(connection: sqlite3.Connection, begin: str, statement: str, parameters: Any, *, many: bool) -> _Found:  # noqa: ANN401 - the driver's
    """In the connection's thread: all of a statement."""
    if begin:
        connection.execute(begin)
    cursor = connection.cursor()
    try:
        if many:
            cursor.executemany(statement, parameters)
        else:
            cursor.execute(statement, () if parameters is None else parameters)
        rows = cursor.fetchall() if cursor.description else ()
        return _Found(cursor.description, cursor.rowcount, cursor.lastrowid, rows)
    finally:
        cursor.close()


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    """A cursor that lives in the thread for as long as its statement runs, and has its rows then."""

    __slots__ = ("_found",)

    _awaitable_cursor_close = False

    def __init__(self, adapt_connection: _Connection) -> None:
        self._adapt_connection = adapt_connection
        self._connection = adapt_connection._connection  # noqa: SLF001 - the base's own
        self._soft_closed_memoized = EMPTY_DICT
        self._rows = deque()
        self._found = _NOTHING

    @property
    def description(self) -> Any:  # noqa: ANN401 - the driver's
        return self._found.description

    @property
    def rowcount(self) -> int:
        return self._found.rowcount

    @property
    def lastrowid(self) -> int:
        return self._found.lastrowid or 0

    @property
    def arraysize(self) -> int:
        return 1

    @arraysize.setter
    def arraysize(self, value: int) -> None:
        """All rows are here already."""

    def close(self) -> None:
        self._rows.clear()

    async def _execute_async(self, operation: Any, parameters: Any) -> None:  # noqa: ANN401 - the base's signature
        await self._trip(operation, parameters, many=False)

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> None:  # noqa: ANN401 - the base's signature
        await self._trip(operation, seq_of_parameters, many=True)

    async def _trip(self, statement: str, parameters: Any, *, many: bool) -> None:  # noqa: ANN401 - the driver's
        adapted: Any = self._adapt_connection
        line: Any = self._connection
        async with adapted._execute_mutex:  # noqa: SLF001 - the base's own
            begin = adapted.take_begin()
            self._found = await line._execute(_run, line._conn, begin, statement, parameters, many=many)  # noqa: SLF001 - aiosqlite has no public way for a function of one's own
            self._rows = deque(self._found.rows)


class _Connection(AsyncAdapt_aiosqlite_connection):
    """A connection that begins with the first statement of a transaction."""

    __slots__ = ("_begin", "_open", "only_reads")

    _cursor_cls = _Cursor  # type: ignore[assignment]

    def __init__(self, dbapi: AsyncAdapt_aiosqlite_dbapi, connection: Any) -> None:  # noqa: ANN401 - aiosqlite's
        super().__init__(dbapi, connection)
        self._begin = ""
        self._open = False
        self.only_reads = False

    def begin(self, statement: str) -> None:
        """Begin a transaction by that statement, when something is to be done in it."""
        self._begin, self._open = statement, True

    def take_begin(self) -> str:
        """What has to run before the next statement."""
        begin, self._begin = self._begin, ""
        return begin

    def commit(self) -> None:
        if self.only_reads or self._begin:
            self.rollback()
        elif self._open:
            super().commit()  # one that fails leaves the transaction open, for a rollback to end
            self._open = False

    def rollback(self) -> None:
        begun, self._begin = self._open and not self._begin, ""
        self._open = False
        line: Any = self._connection
        if begun and line._connection is not None:  # noqa: SLF001 - as the base does
            line._tx.put_nowait((None, line._connection.rollback))  # noqa: SLF001 - as the base does for isolation_level


class _Driver(AsyncAdapt_aiosqlite_dbapi):
    def connect(self, *arguments: Any, **options: Any) -> _Connection:  # noqa: ANN401 - the base's signature
        return _Connection(self, await_(_opened(self, *arguments, **options)))


async def _opened(driver: _Driver, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - aiosqlite's
    connection = driver.aiosqlite.connect(*arguments, **options)
    connection._thread.daemon = True  # noqa: SLF001 - as the base does: a lost connection must not keep the process
    return await connection


class TripsDialect(SQLiteDialect_aiosqlite):
    """SQLite through aiosqlite, as above."""

    driver = "trips"
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> AsyncAdapt_aiosqlite_dbapi:
        """The driver's module, adapted."""
        import sqlite3  # noqa: PLC0415 - as the base does

        import aiosqlite  # noqa: PLC0415 - as the base does

        return _Driver(aiosqlite, sqlite3)


registry.register("sqlite.trips", __name__, TripsDialect.__name__)
