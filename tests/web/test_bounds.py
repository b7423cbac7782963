from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest
from aiohttp import web

from ottserver.web.bounds import Bounds, Door, Pace
from ottserver.web.clients import Proxies
from ottserver.web.routing import Access, Call, NoBody, NoQuery, Reply, RequestModel, Route

if TYPE_CHECKING:
    from ottserver.web.patient import BoundedConnection
    from tests.web.conftest import Serve, Site

SHORT = Bounds(head_seconds=0.2, patience_seconds=0.3, keep_alive_seconds=30)
RESET = b"\x07"
"""The state of a connection that the other side has reset: TCP_CLOSE."""
GET = b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n"


class Name(RequestModel):
    name: str


async def _ok(_call: Call[NoBody, NoQuery]) -> Reply:
    return Reply({"ok": True})


async def _big(_call: Call[NoBody, NoQuery]) -> web.Response:
    return web.Response(body=b"x" * 40_000_000)


async def _stream(call: Call[NoBody, NoQuery]) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(call.request)
    for _ in range(8):
        await response.write(b"still here\n")
        await asyncio.sleep(0.1)
    return response


async def _upload(call: Call[NoBody, NoQuery]) -> Reply:
    return Reply({"bytes": len(await call.request.content.read())})


ROUTES = [
    Route("GET", "/ok", _ok, "Ok", access=Access.PUBLIC),
    Route("GET", "/big", _big, "Big", access=Access.PUBLIC),
    Route("GET", "/stream", _stream, "Stream", access=Access.PUBLIC),
    Route("POST", "/upload", _upload, "Upload", access=Access.PUBLIC, raw=True),
]


async def _open(site: Site, data: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(data)
    return reader, writer


async def _ended(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the server ends the connection, which must be soon."""
    async with asyncio.timeout(5):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b"reset"


async def test_head_that_trickles_is_told_so_and_ended(serve: Serve) -> None:
    site = await serve(ROUTES, bounds=SHORT)
    reader, writer = await _open(site, GET)
    await reader.readuntil(b'{"ok":true}')

    async def trickle() -> None:
        with suppress(ConnectionError):
            for byte in GET * 20:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.02)

    trickling = asyncio.create_task(trickle())
    answer = await _ended(reader)
    trickling.cancel()
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"application/problem+json" in answer
    assert b"Connection: close" in answer
    writer.close()


async def test_connection_that_says_nothing_is_ended_and_one_that_asked_stays(serve: Serve) -> None:
    site = await serve(ROUTES, bounds=SHORT)
    asked, silent = await _open(site, GET), await _open(site)
    await asked[0].readuntil(b'{"ok":true}')
    assert await _ended(silent[0]) == b""
    await asyncio.sleep(0.3)
    asked[1].write(GET)
    await asked[0].readuntil(b'{"ok":true}')
    for _, writer in (asked, silent):
        writer.close()


async def test_head_without_end_is_refused_before_it_fills_memory(serve: Serve) -> None:
    site = await serve(ROUTES)
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 8000) for number in range(10))
    reader, writer = await _open(site, b"GET /ok HTTP/1.1\r\nHost: a\r\n" + lines)
    assert (await _ended(reader)).startswith(b"HTTP/1.1 431 ")
    writer.close()


async def test_answer_that_is_not_taken_is_broken_off_and_others_are_served(serve: Serve) -> None:
    site = await serve(ROUTES, bounds=SHORT)
    loop = asyncio.get_running_loop()
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.setblocking(False)  # noqa: FBT003 - the method's own way
        await loop.sock_connect(line, ("127.0.0.1", site.port))
        await loop.sock_sendall(line, b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(5):
            while line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != RESET:
                assert len(await loop.sock_recv(line, 1)) == 1
                assert (await site.call("GET", "/ok")).status == 200
                await asyncio.sleep(0.02)


async def test_slow_answer_that_is_taken_goes_on(serve: Serve) -> None:
    site = await serve(ROUTES, bounds=SHORT)
    assert (await site.call("GET", "/stream")).body == b"still here\n" * 8


@pytest.mark.parametrize(("piece", "status"), [(b"x", 0), (b"x" * 1000, 200)])
async def test_body_that_trickles_is_broken_off_and_one_that_flows_is_not(
    serve: Serve, piece: bytes, status: int
) -> None:
    site = await serve(ROUTES, bounds=SHORT)
    head = b"POST /upload HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (20 * len(piece))
    reader, writer = await _open(site, head)
    with suppress(ConnectionError):
        for _ in range(20):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.05)
    answer = await _ended(reader)
    assert answer.startswith(f"HTTP/1.1 {status}".encode()) == bool(status), answer
    writer.close()


async def test_when_all_connections_are_in_use_an_idle_one_makes_room_else_the_next_is_told(serve: Serve) -> None:
    site = await serve(ROUTES, bounds=replace(SHORT, connections=3, head_seconds=30))
    streams = [await _open(site, b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(2)]
    for reader, _ in streams:
        await reader.readuntil(b"still here")
    idle = await _open(site, GET)
    await idle[0].readuntil(b'{"ok":true}')
    third = await _open(site, b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
    await third[0].readuntil(b"still here")
    assert await _ended(idle[0]) == b""
    fourth = await _open(site, GET)
    answer = await _ended(fourth[0])
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 5\r\n" in answer
    for reader, writer in (*streams, third):
        assert (await reader.readuntil(b"0\r\n\r\n")).count(b"still here") >= 7
        writer.close()
    for _, writer in (idle, fourth):
        writer.close()


async def test_address_has_its_share_of_connections_and_proxies_and_this_machine_have_no_limit() -> None:
    door = Door(replace(SHORT, connections_per_address=2), Proxies(["10.0.0.0/8"]))
    inside = [cast("BoundedConnection", object()) for _ in range(12)]
    peers = ["203.0.113.9", "203.0.113.9", "::ffff:203.0.113.9", "2001:db8::1", "2001:db8::2", "2001:db8::3"]
    told = [door.enter(*pair) for pair in zip(inside, peers, strict=False)]
    assert [bool(refusal) for refusal in told] == [False, False, True, False, False, True]
    assert not any(door.enter(one, peer) for one, peer in zip(inside[6:], ["10.0.0.1", "127.0.0.1"] * 3, strict=True))
    door.leave(inside[0])
    assert door.enter(inside[0], "203.0.113.9") is None
    for one in inside:
        door.leave(one)
    assert len(door) == 0


def test_pace_is_measured_over_all_of_the_patience() -> None:
    pace, bounds = Pace(), Bounds(patience_seconds=60, slowest_bytes_per_second=1000)
    assert not pace.too_slow(0, 0, bounds)
    assert not pace.too_slow(59, 0, bounds)
    assert not pace.too_slow(60, 60_000, bounds)
    assert not pace.too_slow(119, 60_001, bounds)
    assert pace.too_slow(120, 119_999, bounds)
    pace.rest()
    assert not pace.too_slow(500, 119_999, bounds)
