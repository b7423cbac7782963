"""One entry for every scheme of every capability: all tests here run against each of them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Protocol

import pytest

from ottserver.backends.blobs import Blobs, open_blobs
from ottserver.backends.blobs.disk import DiskCache
from ottserver.backends.blobs.steady import SteadyBlobs
from ottserver.backends.bus import Bus, open_bus
from ottserver.backends.cache import Cache, open_cache
from ottserver.backends.database import Database, open_database
from tests.support.server import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

DATABASES = {"sqlite": "sqlite:///{folder}/contract.db"}
BUSES = {"outbox": "outbox://"}
BLOBS = {"file": "file://{folder}/blobs", "memory": "memory://", "kept": "memory://?kept"}
"""`kept` is as a store elsewhere is opened: with retries and a cache on the local disk."""
CACHES = {"memory": "memory://"}


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database's address."""
    return DATABASES[request.param].format(folder=tmp_path)


@pytest.fixture
def second_database_url(database_url: str, tmp_path: Path) -> str:
    """Another empty database's address, of the same scheme."""
    scheme = database_url.partition("://")[0]
    return DATABASES[scheme].format(folder=tmp_path / "second")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture(params=BUSES)
def bus_url(request: pytest.FixtureRequest) -> str:
    return BUSES[request.param]


@pytest.fixture
def bus(bus_url: str, database: Database) -> Bus:
    return open_bus(bus_url, database)


@pytest.fixture(params=BLOBS)
def blobs_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store's address."""
    return BLOBS[request.param].format(folder=tmp_path)


@pytest.fixture
def second_blobs_url(blobs_url: str, tmp_path: Path) -> str:
    """Another empty store's address, of the same scheme."""
    return BLOBS[blobs_url.partition("://")[0]].format(folder=tmp_path / "second")


@pytest.fixture
async def blobs(blobs_url: str, tmp_path: Path) -> AsyncIterator[Blobs]:
    async with open_blobs(blobs_url, tmp_path / "scratch") as blobs:
        if not blobs_url.endswith("?kept"):
            yield blobs
            return
        kept = DiskCache(SteadyBlobs(blobs), tmp_path / "kept", 100_000_000)
        await kept.open()
        yield kept
        await kept.close()


@pytest.fixture(params=CACHES)
def cache_url(request: pytest.FixtureRequest) -> str:
    return CACHES[request.param]


@pytest.fixture
async def cache(cache_url: str) -> AsyncIterator[Cache]:
    async with open_cache(cache_url) as cache:
        yield cache


class StartProcess(Protocol):
    """Runs Python code in a process of its own, which ends with the test at the latest."""

    def __call__(self, code: str, *arguments: str) -> subprocess.Popen[str]:
        """The process; its standard input and output are pipes."""
        ...


@pytest.fixture
def start_process() -> Iterator[StartProcess]:
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


async def line_from(process: subprocess.Popen[str]) -> str:
    """The next line that a process prints; empty when it has ended."""
    if process.stdout is None:
        return ""
    return (await asyncio.to_thread(process.stdout.readline)).strip()
