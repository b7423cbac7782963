"""The unit of work over a SQLAlchemy engine, whatever the engine: transaction, outbox row, wake-up after the commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from ottserver.backends.database.schema import outbox
from ottserver.clock import utcnow
from ottserver.events import FACTS
from ottserver.ids import new_id

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from ottserver.events import Fact

_ADAPTERS: dict[type[Fact], TypeAdapter[Fact]] = {kind: TypeAdapter(kind) for kind in FACTS.values()}


def adapter(fact: type[Fact]) -> TypeAdapter[Fact]:
    """The (de)serialiser of a fact's class. All are made on import: making one reads files and takes milliseconds."""
    return _ADAPTERS[fact]


class SqlUnitOfWork:
    """One open transaction. Implements `ottserver.backends.database.UnitOfWork`."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on a connection whose transaction somebody else commits."""
        self._connection = connection
        self.announced_any = False

    @property
    def connection(self) -> AsyncConnection:
        """The connection inside the transaction."""
        return self._connection

    async def announce(self, fact: Fact) -> None:
        """Append the fact to the outbox."""
        kind = type(fact)
        await self._connection.execute(
            outbox.insert().values(
                id=new_id(),
                aggregatetype=kind.AGGREGATE,
                aggregateid=fact.key,
                type=kind.__name__,
                version=kind.VERSION,
                payload=adapter(kind).dump_json(fact).decode(),
                created_at=utcnow(),
            )
        )
        self.announced_any = True
