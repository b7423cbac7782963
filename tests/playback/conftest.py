"""Playback over a real SQLite file, the memory cache and real tickets, with time that a test moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from ottserver.backends.cache.memory import MemoryCache
from ottserver.backends.database import open_database
from ottserver.backends.outage.breaker import BackendMetrics
from ottserver.backends.outage.cache import GuardedCache
from ottserver.delivery.tickets import Tickets
from ottserver.playback.afloat import Afloat
from ottserver.playback.keeper import Keeper
from ottserver.playback.metrics import PlaybackMetrics
from ottserver.playback.screens import Screens
from ottserver.playback.service import PlaybackService
from tests.playback.support import Clock, Fetching, House, Switchable
from tests.support.faults import FaultyCache

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
        self.cache = FaultyCache(MemoryCache(self.clock.seconds))
        registry = CollectorRegistry()
        guarded = GuardedCache(self.cache, BackendMetrics(registry))
        self.registry = registry
        self.screens = Screens(guarded, LEASE_SECONDS, MemoryCache(self.clock.seconds))
        afloat = Afloat(PlaybackMetrics(registry))
        self.service = PlaybackService(
            self.database,
            self.screens,
            entitlements=self.house,
            catalog=self.house,
            presentations=self.house,
            tickets=self.tickets,
            afloat=afloat,
            now=self.clock.now,
        )
        self.afloat = afloat
        self.keeper = Keeper(
            self.database,
            self.screens,
            tickets=self.tickets,
            activity=self.fetching,
            standings=self.house,
            afloat=afloat,
            every_seconds=10,
            now=self.clock.now,
        )


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_database(f"sqlite:///{tmp_path}/ott.db") as database:
        yield Stage(Clock(), House(), Switchable(database), Fetching())
