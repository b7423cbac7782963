"""Backends that fail when a test says so: at once, or by not answering."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ottserver.errors import Busy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from ottserver.backends.cache import Cache
    from ottserver.backends.database import Database, UnitOfWork

Fault = Literal["", "error", "hang"]


async def suffer(fault: Fault, error: Exception) -> None:
    """Fail as told."""
    if fault == "hang":
        await asyncio.Event().wait()
    if fault:
        raise error


class FaultyCache:
    """A cache whose every call fails as `fault` says, as a driver would: not with our own errors."""

    def __init__(self, real: Cache) -> None:
        self._real = real
        self.fault: Fault = ""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - all methods of the protocol alike
        call = getattr(self._real, name)

        async def suffering(*arguments: object, **named: object) -> object:
            await suffer(self.fault, ConnectionError("Connection refused"))
            return await call(*arguments, **named)

        return suffering


@dataclass
class FaultyDatabase:
    """A real database whose line can be cut, or lead nowhere."""

    real: Database
    fault: Fault = ""

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        await suffer(self.fault, Busy("The database cannot be reached."))
        async with self.real.reading() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[UnitOfWork]:
        await suffer(self.fault, Busy("The database cannot be reached."))
        async with self.real.writing() as work:
            yield work

    def on_announced(self, listener: Callable[[], None]) -> None:
        self.real.on_announced(listener)

    async def check(self) -> None:
        await suffer(self.fault, Busy("The database cannot be reached."))
        await self.real.check()
