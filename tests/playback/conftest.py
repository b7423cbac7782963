"""Playback over a real SQLite file, the memory cache and real tickets, with time that a test moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from ottserver.backends.cache.memory import MemoryCache
from ottserver.backends.database import open_database
from ottserver.delivery.tickets import Tickets
from ottserver.playback.keeper import Keeper
from ottserver.playback.screens import Screens
from ottserver.playback.service import PlaybackService
from tests.playback.support import Clock, Fetching, House, Switchable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LEASE_SECONDS = 30.0
TICKET_SECONDS = 12 * 3600


@dataclass
class Stage:
    """One installation. `restart` is what a power cut leaves of it: the database, and nothing else."""

    clock: Clock
    house: House
    database: Switchable
    fetching: Fetching

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.tickets = Tickets(b"s" * 32, lifetime_seconds=TICKET_SECONDS, now=self.clock.seconds)
        self.screens = Screens(MemoryCache(self.clock.seconds), LEASE_SECONDS)
        self.service = PlaybackService(
            self.database,
            self.screens,
            entitlements=self.house,
            catalog=self.house,
            presentations=self.house,
            tickets=self.tickets,
            now=self.clock.now,
        )
        self.keeper = Keeper(
            self.database,
            self.screens,
            tickets=self.tickets,
            activity=self.fetching,
            every_seconds=10,
            ticket_seconds=TICKET_SECONDS,
            now=self.clock.now,
        )


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_database(f"sqlite:///{tmp_path}/ott.db") as database:
        yield Stage(Clock(), House(), Switchable(database), Fetching())
