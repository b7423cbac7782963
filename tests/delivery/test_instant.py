"""Every request gets the same answer at once as it gets from aiohttp."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import socket
from typing import TYPE_CHECKING

import uvloop

from ottserver.media import segment_key
from tests.delivery.films import OTHER_VIDEO_ID, SESSION_ID, VIDEO_ID, content
from tests.delivery.two_ways import HOST, TwoWays, Way, address, get, prepared

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

BIG = bytes(range(256)) * 20_000
BROWSER = (
    b'Host: 127.0.0.1:8080\r\nConnection: keep-alive\r\nsec-ch-ua-platform: "Linux"\r\nUser-Agent: Mozilla/5.0\r\n'
    b"Accept: */*\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nReferer: http://127.0.0.1:8080/watch/1\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en\r\nCookie: ott_access=abc; b=c\r\n"
)
AT_ONCE = {
    "plain": HOST,
    "as a browser sends it": BROWSER,
    "names in capitals": b"HOST: x\r\nCONNECTION: Keep-Alive\r\n",
    "spaces around a value": b"Host:   x  \r\n",
    "no space": b"Host:x\r\n",
    "whole by a range": HOST + b"Range: bytes=0-\r\n",
    "a range": HOST + b"Range: bytes=2-5\r\n",
    "a range past the end": HOST + b"Range: bytes=990-2000\r\n",
    "the last bytes": HOST + b"Range: bytes=-7\r\n",
    "more last bytes than there are": HOST + b"Range: bytes=-70000\r\n",
    "several ranges": HOST + b"Range: bytes=0-1,5-6\r\n",
    "another unit": HOST + b"Range: items=0-1\r\n",
    "a range backwards": HOST + b"Range: bytes=5-2\r\n",
    "a range in small letters": HOST + b"range: bytes=2-5\r\n",
    "a range first": b"Range: bytes=2-5\r\n" + HOST,
    "a range among others": HOST + b"Range:bytes=2-5  \r\nAccept: */*\r\n",
    "no range": HOST + b"Range: nonsense\r\n",
    "an empty range": HOST + b"Range:\r\n",
    "an origin that may play": HOST + b"Origin: https://films.example\r\n",
    "it in capitals": HOST + b"Origin: https://FILMS.example\r\n",
    "an origin that may not": HOST + b"Origin: https://evil.example\r\n",
    "a sandboxed page": HOST + b"Origin: null\r\n",
    "an id of the caller's": HOST + b"X-Request-Id: abc-123.X_45\r\n",
    "an id that is too short": HOST + b"X-Request-Id: short\r\n",
    "an id with a space": HOST + b"X-Request-Id: with space\r\n",
}
"""Header fields with which a cached segment is answered at once."""
PARSED = {
    "nothing satisfies the range": HOST + b"Range: bytes=1000-\r\n",
    "no last bytes": HOST + b"Range: bytes=-0\r\n",
    "two ranges": HOST + b"Range: bytes=0-1\r\nRange: bytes=5-6\r\n",
    "two ranges, one empty": HOST + b"Range: bytes=0-1\r\nrange:\r\n",
    "two ranges of different names": HOST + b"Range: bytes=0-1\r\nrange: bytes=5-6\r\n",
    "a range of a control character": HOST + b"Range: bytes=0-\x011\r\n",
    "a range of other letters": HOST + "Range: bytes=٣-٤\r\n".encode(),
    "a range that goes on": HOST + b"Range: bytes=0-1\r\n 1\r\n",
    "something like a range": HOST + b"X-Range: bytes=0-1\r\n",
    "any version is here": HOST + b"If-None-Match: *\r\n",
    "no version is asked for": HOST + b'If-Match: "x"\r\n',
    "another version": HOST + b'If-Range: "x"\r\nRange: bytes=0-1\r\n',
    "a date": HOST + b"If-Modified-Since: Wed, 25 Nov 2026 00:00:00 GMT\r\n",
    "no host": b"Accept: */*\r\n",
    "no fields": b"",
    "two hosts": HOST + HOST,
    "an empty host": b"Host:\r\n",
    "two origins": HOST + b"Origin: https://films.example\r\nOrigin: https://evil.example\r\n",
    "two ids": HOST + b"X-Request-Id: first-one\r\nX-Request-Id: second-one\r\n",
    "closing": HOST + b"Connection: close\r\n",
    "a list of connection options": HOST + b"Connection: keep-alive, te\r\n",
    "an upgrade": HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n",
    "an expectation": HOST + b"Expect: 100-continue\r\n",
    "an expectation nobody meets": HOST + b"Expect: magic\r\n",
    "a body": HOST + b"Content-Length: 5\r\n\r\nhello",
    "a body of nothing": HOST + b"Content-Length: 0\r\n",
    "a body that looks like a request": HOST + b"Content-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "chunks": HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
    "two lengths": HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n",
    "a field of no meaning": HOST + b"X-Unknown: 1\r\n",
    "other letters": HOST + "Referer: http://ü/\r\n".encode(),
    "a control character": HOST + b"Referer: a\x01b\r\n",
    "a tab": HOST + b"Accept:\ta\r\n",
    "a space before the colon": b"Host : x\r\n",
    "a folded line": HOST + b"Accept: a\r\n b\r\n",
    "no colon": HOST + b"nonsense\r\n",
    "a lone line feed": b"Host: x\nAccept: a\r\n",
    "a lone carriage return": b"Host: x\rAccept: a\r\n",
    "many fields": HOST + b"".join(b"Sec-Ch-%d: x\r\n" % number for number in range(150)),
    "a long field": HOST + b"Referer: " + b"x" * 5000 + b"\r\n",
    "too long a field": HOST + b"Referer: " + b"x" * 9000 + b"\r\n",
}
"""Those with which it is not, whatever the answer is."""


async def test_plain_request_is_answered_at_once_and_as_aiohttp_does(ways: TwoWays) -> None:
    for name, fields in AT_ONCE.items():
        answer = await ways.same([get(address(ways), fields)])
        assert ways.at_once.taken == [address(ways)], name
        assert answer.startswith((b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 206 Partial Content\r\n")), name
        ways.at_once.taken.clear()


async def test_request_that_means_more_is_left_to_aiohttp(ways: TwoWays) -> None:
    for name, fields in PARSED.items():
        await ways.same([get(address(ways), fields)])
        assert not ways.at_once.taken, name


async def test_unusual_request_lines_are_left_to_aiohttp(ways: TwoWays) -> None:
    plain = address(ways)
    revoked = address(ways, session=OTHER_VIDEO_ID)
    await ways.same([get(revoked)])
    ways.tickets.revoke(OTHER_VIDEO_ID)
    lines = [
        get(plain, version="HTTP/1.0"),
        get(plain, version="HTTP/1.0", fields=HOST + b"Connection: keep-alive\r\n"),
        get(plain, version="HTTP/2.0"),
        get(plain, version="http/1.1"),
        get(plain, version=""),
        get(plain, method="HEAD"),
        get(plain, method="POST"),
        get(plain, method="OPTIONS", fields=HOST + b"Origin: https://films.example\r\n"),
        get(plain, method="get"),
        get(f"http://x{plain}"),
        get(f"{plain}#part"),
        get(f"{plain}?a b"),
        get(f'{plain}?"'),
        get(plain.replace("/1.m4s", "/%31.m4s")),
        get(plain.replace("/v480/", "/v720/../v480/")),
        get(plain.replace("/media/", "//media/")),
        get(plain.replace("/v480/", "//v480/")),
        get(plain.replace("/1.m4s", "/01.m4s")),
        get(f"{plain}/"),
        get(f"{plain}%20"),
        get(f"{plain}é"),
        get(plain.replace(VIDEO_ID, OTHER_VIDEO_ID)),
        get(plain.replace(ways.film.id, "0" * 32)),
        get(plain[:20] + "!" + plain[21:]),
        get(plain[:20] + plain[21:]),
        get(address(ways, "v1080", height=480)),
        get(revoked),
        get("/media/"),
        get("/media/x"),
        get("/api/v1/home"),
        b" " + get(plain),
        get(plain).replace(b" /", b"  /"),
        get(plain).replace(b"\r\n", b"\n"),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"\r\n",
        b"\r\n\r\n",
    ]
    for line in lines:
        await ways.same([line])
        assert not ways.at_once.taken, line


async def test_query_changes_nothing(ways: TwoWays) -> None:
    await ways.same([get(f"{address(ways)}?CMCD=br%3D1200%2Csid%3D%22a-b%22")])
    await ways.same([get(f"{address(ways)}?")])
    assert len(ways.at_once.taken) == 2


async def test_ticket_that_has_just_been_revoked_opens_nothing_at_once(ways: TwoWays) -> None:
    assert (await ways.same([get(address(ways))])).startswith(b"HTTP/1.1 200")
    ways.tickets.revoke(SESSION_ID)
    assert (await ways.same([get(address(ways))])).startswith(b"HTTP/1.1 403")


async def test_both_ways_alternate_on_one_connection(ways: TwoWays) -> None:
    """However requests are cut into pieces and run into each other; with a seed, so that a failure comes again."""
    chance = random.Random(5)
    plain, other = address(ways), get("/media/x", BROWSER)
    kept = [
        *(get(plain, fields) for name, fields in AT_ONCE.items() if "id" not in name),
        *(
            get(plain, PARSED[name])
            for name in ("a body", "chunks", "another version", "a body that looks like a request")
        ),
        get(plain, method="HEAD"),
        other,
        b"\r\n",
    ]
    # A head or a body is begun, and what looks like a plain request is a part of it.
    begun = [
        b"GET /media/x HTTP/1.1\r\nReferer: ",
        other + b"GET /media/x HTTP/1.1\r\nReferer: ",
        b"POST /media/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(get(plain)),
        other + b"POST /media/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(get(plain)),
    ]
    for _ in range(25):
        chunks: list[bytes] = []
        for piece in chance.choices(kept, k=12):
            chunk = piece + b"\r\n" if piece.endswith(b"0\r\n") else piece
            match chance.randrange(5):
                case 0 if chunks:
                    chunks[-1] += chunk
                case 1:
                    middle = chance.randrange(len(chunk))
                    chunks += [chunk[:middle], chunk[middle:]]
                case 2:
                    chunks += [chance.choice(begun), get(plain)]
                case _:
                    chunks.append(chunk)
        await ways.same([chunk for chunk in chunks if chunk])
    assert len(ways.at_once.taken) > 30


async def test_both_ways_say_the_same_in_the_log(ways: TwoWays, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "ottserver")
    await ways.same([get(address(ways)), get(address(ways), AT_ONCE["a range"])])
    assert len(ways.at_once.taken) == 2
    said = [
        (record.name, record.levelname, re.sub(r"[0-9.]+ ms$", "", record.getMessage())) for record in caplog.records
    ]
    assert said[: len(said) // 2] == said[len(said) // 2 :]
    assert any("/media/" in message and " 206 " in message for _, _, message in said)


async def test_answer_at_once_keeps_the_connection_as_long_as_any_other(ways: TwoWays) -> None:
    reader, writer = await asyncio.open_connection(*ways.at_once.place)
    for _ in range(3):
        writer.write(get(address(ways)))
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(1000) == content("v480", "1")
        connection = ways.at_once.connection()
        connection._process_keepalive()  # noqa: SLF001 - the timer that started with the connection
        connection._next_keepalive_close_time = 0  # noqa: SLF001 - as if it had been idle for 75 seconds
    assert len(ways.at_once.taken) == 3
    connection = ways.at_once.connection()
    connection._process_keepalive()  # noqa: SLF001
    assert await reader.read() == b""
    writer.close()


async def big_one(ways: TwoWays) -> str:
    """Address of a segment that no socket takes at once; both servers have it in memory."""
    await ways.blobs.put(segment_key(ways.film.id, "v480", 0), BIG)
    target = address(ways).replace("/1.m4s", "/0.m4s")
    await ways.same([get(target)])
    assert not ways.at_once.taken
    return target


async def slow_client(way: Way) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that takes little before it is read from."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    plain.setblocking(False)  # noqa: FBT003 - the socket's own signature
    await asyncio.get_running_loop().sock_connect(plain, way.place)
    return await asyncio.open_connection(sock=plain, limit=65_536)


async def test_client_that_does_not_read_holds_no_more_than_with_aiohttp(ways: TwoWays) -> None:
    target = await big_one(ways)
    reader, writer = await slow_client(ways.at_once)
    writer.write(get(target))
    await asyncio.sleep(0.01)
    connection = ways.at_once.connection()
    connection._next_keepalive_close_time = 0  # noqa: SLF001 - however long it takes, it is not idle
    connection._process_keepalive()  # noqa: SLF001
    for _ in range(2):
        writer.write(get(target))
        await asyncio.sleep(0.01)
    assert connection.transport is not None
    assert 0 < connection.transport.get_write_buffer_size() < 2 * len(BIG)
    async with asyncio.timeout(20):
        for _ in range(3):
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(len(BIG)) == BIG
    writer.close()
    await writer.wait_closed()
    assert len(ways.at_once.taken) == 1


async def test_answer_on_its_way_is_finished_before_the_server_ends(ways: TwoWays) -> None:
    target = await big_one(ways)
    reader, writer = await slow_client(ways.at_once)
    writer.write(get(target))
    await reader.readuntil(b"\r\n\r\n")
    end = asyncio.create_task(ways.at_once.runner.cleanup())
    await asyncio.sleep(0.05)
    assert not end.done()
    async with asyncio.timeout(20):
        assert await reader.read() == BIG
        await end
    writer.close()
    await writer.wait_closed()
    assert len(ways.at_once.taken) == 1


def test_the_same_holds_on_the_loop_that_the_program_runs_on(tmp_path: Path) -> None:
    async def all_of_it() -> None:
        for holds in (
            test_plain_request_is_answered_at_once_and_as_aiohttp_does,
            test_request_that_means_more_is_left_to_aiohttp,
            test_both_ways_alternate_on_one_connection,
            test_client_that_does_not_read_holds_no_more_than_with_aiohttp,
            test_answer_on_its_way_is_finished_before_the_server_ends,
        ):
            async with prepared(tmp_path) as ways:
                await holds(ways)

    uvloop.run(all_of_it())
