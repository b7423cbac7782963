"""What the bus's tests share: facts to announce, and a handler that remembers them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ottserver.events import AccountCreated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ottserver.backends.bus import Bus
    from ottserver.backends.database import Database
    from ottserver.events import Fact


class Broken(Exception):
    """What a handler raises."""


async def announce(database: Database, *facts: Fact) -> None:
    async with database.writing() as work:
        for fact in facts:
            await work.announce(fact)


@asynccontextmanager
async def delivering(bus: Bus) -> AsyncIterator[None]:
    """Deliver, and wait at the end until all is digested or parked."""
    async with asyncio.timeout(30), bus.running():
        yield
        await bus.drained()


class Witness:
    """A handler that remembers what it digested, and fails as often as it is told to for some keys."""

    def __init__(self, **failures: int) -> None:
        self.failures = failures
        self.seen: list[str] = []
        self.tries: list[str] = []

    async def __call__(self, fact: AccountCreated) -> None:
        self.tries.append(f"{fact.account_id}{fact.role}")
        if self.failures.get(fact.account_id, 0) > 0:
            self.failures[fact.account_id] -= 1
            raise Broken(fact.role)
        self.seen.append(f"{fact.account_id}{fact.role}")

    def of(self, key: str) -> list[str]:
        return [seen for seen in self.seen if seen.startswith(key)]


def created(key: str, *roles: int) -> list[AccountCreated]:
    return [AccountCreated(key, str(role)) for role in roles]
