"""Database: SQLAlchemy Core over asyncio, a unit of work that writes facts with the change, one writer at a time.

`reading()` gives a connection that sees a consistent snapshot and never waits for a writer. `writing()` gives a unit of
work: a transaction that commits when its block ends and rolls back when it raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from ottserver.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy.ext.asyncio import AsyncConnection

    from ottserver.events import Fact


class UnitOfWork(Protocol):
    """A transaction. Rooms change their own tables through `connection` and announce what they have made true."""

    @property
    def connection(self) -> AsyncConnection:
        """The connection inside the transaction; do not commit it."""
        ...

    async def announce(self, fact: Fact) -> None:
        """Append the fact to the outbox, in this transaction."""
        ...


class Database(Protocol):
    """An open database whose schema is current."""

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection for queries."""
        ...

    def writing(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A transaction; at most one at a time where the database has a single writer. Keep it short, free of I/O."""
        ...

    def on_announced(self, listener: Callable[[], None]) -> None:
        """Call `listener` on the event loop after each commit of this process that announced facts."""
        ...

    async def check(self) -> None:
        """Raise when the database cannot be reached."""
        ...


def open_database(url: str) -> AbstractAsyncContextManager[Database]:
    """The database that `url` names, migrated to the current schema under a lock. Raises `SettingsError`."""
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        from ottserver.backends.database.sqlite import open_sqlite  # noqa: PLC0415 - only the chosen driver is loaded

        return open_sqlite(url)
    message = f"database_url: no database is known for the scheme {scheme!r}; use sqlite:///file"
    raise SettingsError(message)
