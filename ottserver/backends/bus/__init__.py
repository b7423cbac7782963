"""Bus: carries facts from the outbox to consumers, at least once and in order per key.

A consumer has a name and keeps its own position. A handler that raises is tried again with a growing pause, while facts
of other keys go on; after the last try the fact is parked, visibly, and the facts behind it go on too. One that raises
`Busy`, because what it needs is away, is tried again for as long as that takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from ottserver.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from ottserver.backends.database import Database
    from ottserver.events import Fact

    Handler = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ParkedFact:
    """A fact that a consumer could not digest, waiting for a person."""

    consumer: str
    seq: int
    fact_id: str
    type: str
    key: str
    attempts: int
    error: str
    parked_at: datetime


class Bus(Protocol):
    """Subscribe first, then enter `running()`."""

    def subscribe(self, consumer: str, fact: type[Fact], handler: Handler) -> None:
        """Let `consumer` receive every fact of this type. A handler is called again after a crash: be idempotent."""
        ...

    def running(self) -> AbstractAsyncContextManager[None]:
        """Deliver facts to all consumers while the context lasts; leaving it finishes the handlers in hand."""
        ...

    async def parked(self) -> list[ParkedFact]:
        """Every parked fact of every consumer."""
        ...

    async def retry(self, consumer: str, seq: int) -> None:
        """Give a parked fact to its consumer again; raises `NotFound` when it is not parked."""
        ...

    async def drained(self) -> None:
        """Return once every consumer has digested, or parked, all that had been announced when this was called."""
        ...


def open_bus(url: str, database: Database) -> Bus:
    """The bus that `url` names. Raises `SettingsError`."""
    scheme = urlsplit(url).scheme
    if scheme == "outbox":
        from ottserver.backends.bus.outbox import OutboxBus  # noqa: PLC0415 - only the chosen driver is loaded

        return OutboxBus(database)
    message = f"bus_url: no bus is known for the scheme {scheme!r}; use outbox://"
    raise SettingsError(message)
