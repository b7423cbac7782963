"""The guards that every test runs under."""

from __future__ import annotations

import asyncio
import socket

import pytest
from blockbuster import BlockingError

from ottserver import settings
from tests.support.loopback import LeftTheMachine


async def test_reading_a_file_on_the_event_loop_is_refused() -> None:
    with pytest.raises(BlockingError):
        settings.load()


async def test_reading_a_file_beside_the_event_loop_is_allowed() -> None:
    assert (await asyncio.to_thread(settings.load)).port


def test_other_hosts_are_out_of_reach() -> None:
    with pytest.raises(LeftTheMachine):
        socket.create_connection(("203.0.113.1", 9), timeout=1)
    with pytest.raises(LeftTheMachine):
        socket.getaddrinfo("example.com", 80)


async def test_the_event_loop_reaches_no_other_host() -> None:
    with pytest.raises(LeftTheMachine):
        await asyncio.open_connection("203.0.113.1", 9)


async def test_this_machine_is_within_reach() -> None:
    served = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with served:
        reader, writer = await asyncio.open_connection(*served.sockets[0].getsockname())
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
