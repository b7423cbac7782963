from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ottserver.backends.bus.outbox import OutboxBus, RetryPolicy
from ottserver.backends.database import open_database
from ottserver.events import AccountCreated, AccountDeleted
from ottserver.ids import new_id
from tests.support.server import Server

if TYPE_CHECKING:
    from pathlib import Path


async def indigestible(_fact: AccountDeleted) -> None:
    raise ValueError("cannot be digested")


@pytest.fixture
async def installation(tmp_path: Path) -> Server:
    """A data folder without a server, in which the consumer billing has parked a fact."""
    server = Server(tmp_path / "data")
    await asyncio.to_thread(server.data.mkdir)
    async with open_database(f"sqlite:///{server.data}/ottserver.db") as database:
        bus = OutboxBus(database, RetryPolicy(attempts=1))
        bus.subscribe("billing", AccountDeleted, indigestible)
        async with database.writing() as work:
            await work.announce(AccountCreated(new_id(), "member"))
            await work.announce(AccountDeleted("somebody"))
        async with bus.running():
            await bus.drained()
    return server


def test_parked_fact_is_listed_and_given_back(installation: Server) -> None:
    (line,) = installation.run("facts", "list").stdout.splitlines()
    consumer, number, kind, key, _when, error = line.split("\t")
    assert (consumer, kind, key, error) == ("billing", "AccountDeleted", "somebody", "ValueError: cannot be digested")
    again = installation.run("facts", "retry", consumer, number)
    assert "as soon as a server runs" in again.stdout
    assert installation.run("facts", "list").stdout == ""
    nothing = installation.run("facts", "retry", consumer, number, check=False)
    assert nothing.returncode == 1
    assert "no parked fact" in nothing.stderr


def test_fact_given_back_is_digested_by_the_next_server(installation: Server) -> None:
    assert "parked" in installation.run("doctor", check=False).stdout
    installation.run("facts", "retry", "billing", "2")
    try:
        installation.start()
        assert installation.run("facts", "list").stdout == ""
    finally:
        installation.close()
    assert "none parked" in installation.run("doctor", check=False).stdout
