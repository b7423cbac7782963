"""Answers before aiohttp parses anything: plain GETs of media whose bytes are in memory.

Most requests of a streaming server are alike, and aiohttp's parser, task, request and response cost several times what
sending a small segment does. So a connection looks at what arrives: when it is the head of exactly one plain GET below
/media/, with nothing else in progress and nothing left to send, whoever has the bytes may answer at once. All else goes
to aiohttp, unchanged, and either way leaves the connection ready for the other. The answers are the same, byte for
byte but for id and date; tests run every case through both.

This leans on aiohttp's inside, which setup.cfg therefore holds to a version: a request waits to be taken when
`_waiter` is pending, which it is only while `_messages`, the requests parsed but not yet taken, is empty.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from aiohttp import EMPTY_PAYLOAD

from ottserver.ids import new_id
from ottserver.web.heads import COMMON_HEADERS, REQUEST_ID, SERVER, redacted, request_id
from ottserver.web.patient import BoundedConnection

if TYPE_CHECKING:
    from aiohttp import web

    from ottserver.web.bounds import Door

log = logging.getLogger("ottserver.web.server")

HEAD_LIMIT = 4096
"""Bytes of a head that is looked at; far below what one field may have at aiohttp."""
_BEGINNING = b"GET /media/"
_PATH = 4
_VERSION = b" HTTP/1.1"
_RANGE = b"\r\nRange:"
_END_OF_HEAD = b"\r\n\r\n"
_QUERY = re.compile(r"[A-Za-z0-9%._~=&+,:;*()!/-]*", re.ASCII)
_PASSED_OVER = frozenset(
    [
        "accept",
        "accept-encoding",
        "accept-language",
        "authorization",
        "cache-control",
        "cookie",
        "dnt",
        "forwarded",
        "from",
        "icy-metadata",
        "pragma",
        "priority",
        "referer",
        "save-data",
        "sec-ch-ua",
        "sec-ch-ua-mobile",
        "sec-ch-ua-platform",
        "sec-fetch-dest",
        "sec-fetch-mode",
        "sec-fetch-site",
        "sec-fetch-storage-access",
        "sec-fetch-user",
        "sec-gpc",
        "te",
        "traceparent",
        "tracestate",
        "upgrade-insecure-requests",
        "user-agent",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
        "x-playback-session-id",
        "x-real-ip",
        "x-requested-with",
    ]
)
"""Fields that players, browsers and proxies send and that change nothing about a GET of media."""
_CMCD = ("cmcd-request", "cmcd-object", "cmcd-status", "cmcd-session")
_KNOWN = _PASSED_OVER | {"host", "connection", "origin", "range", "x-request-id", *_CMCD}
_STATUS_LINES = {
    status: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)
}
_AFTER_ID = "".join(f"\r\n{name}: {value}" for name, value in COMMON_HEADERS.items()) + "\r\n\r\n"


class Fields(NamedTuple):
    """What the header fields of a plain request say, as far as anybody looks at them."""

    origin: str | None
    range: str | None
    """Where it is not written as most write it; else it is read apart."""
    request_id: str
    cmcd: str
    """What a player tells of itself (CTA-5004), its four fields as one list."""


Instant = tuple[HTTPStatus, str, bytes | memoryview]
"""An answer that needs no waiting: 200 or 206, fields beside those of every answer, each with its CRLF, and a body."""


class InstantAnswers(Protocol):
    """Whoever has bytes in memory."""

    def __call__(self, path: str, query: str, part: str | None, fields: Fields) -> Instant | None:
        """The answer to a GET of a path below /media/, or nothing: then it is asked again by aiohttp's way.

        `query` is as it was sent, `part` the field Range, where there is one. Counts only what it answers. Never waits.
        """
        ...


def plain(block: bytes) -> Fields | None:
    """The fields of a head (all after the request line), or nothing where one may mean more than a plain GET.

    Nothing too when a name comes twice, when a value has other letters than ASCII's, or no host is named.
    """
    if not block.isascii() or not block.endswith(_END_OF_HEAD):
        return None
    lines = block[: -len(_END_OF_HEAD)].decode("ascii").split("\r\n")
    if not "".join(lines).isprintable():
        return None
    given: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or name in given or name not in _KNOWN:
            return None
        given[name] = value.strip(" ")
    if not given.get("host") or given.get("connection", "keep-alive").lower() != "keep-alive":
        return None
    return Fields(
        given.get("origin"),
        given.get("range"),
        given.get("x-request-id", ""),
        ",".join(given[name] for name in _CMCD if name in given),
    )


class _Clock:
    """The fields before a request's id, made once a second."""

    def __init__(self) -> None:
        self._until = 0.0
        self._text = ""

    def before_id(self) -> str:
        now = time.time()
        if not self._until - 1 <= now < self._until:
            self._until = int(now) + 1.0
            self._text = f"\r\nDate: {formatdate(int(now), usegmt=True)}\r\nServer: {SERVER}\r\n{REQUEST_ID}: "
        return self._text


_CLOCK = _Clock()


class InstantConnection(BoundedConnection):
    """aiohttp's side of one connection, with the way around its parser."""

    __slots__ = ("_answers", "_between", "_block", "_fields")

    def __init__(self, manager: web.Server, door: Door, answers: InstantAnswers | None, **settings: Any) -> None:  # noqa: ANN401 - aiohttp's own arguments
        """Ask `answers` first; with none, everything goes to aiohttp."""
        super().__init__(manager, door, **settings)
        self._answers = answers
        self._between = True
        """Whether aiohttp's parser stands between two requests."""
        self._block = b""
        self._fields: Fields | None = None
        """What the last block of fields on this connection said: a player sends the same one again and again."""

    def data_received(self, data: bytes) -> None:
        """Answer at once, or let aiohttp."""
        if self._between and self._answers is not None and self._answered(data, self._answers):
            return
        count = self._request_count
        super().data_received(data)
        # One request without a body, and nothing behind the empty line at its end: no other can have begun.
        self._between = (
            self._request_count == count + 1
            and data.endswith(_END_OF_HEAD)
            and not self._upgraded
            and bool(self._messages)
            and self._messages[-1][1] is EMPTY_PAYLOAD
        )

    def _answered(self, data: bytes, answers: InstantAnswers) -> bool:
        waiter, transport = self._waiter, self.transport
        if waiter is None or waiter.done() or transport is None or transport.get_write_buffer_size():
            return False
        asked = self._plain(data)
        if asked is None:
            return False
        path, query, part, fields = asked
        logged = log.isEnabledFor(logging.DEBUG)
        started = time.perf_counter() if logged else 0.0
        try:
            answer = answers(path, query, part, fields)
        except Exception:
            log.exception("an answer at once failed; aiohttp's way is tried")
            return False
        if answer is None:
            return False
        status, told, body = answer
        own_id = fields.request_id
        head = (
            f"{_STATUS_LINES[status]}{told}Content-Length: {len(body)}{_CLOCK.before_id()}"
            f"{request_id(own_id) if own_id else new_id()}{_AFTER_ID}"
        )
        transport.writelines((head.encode("latin-1"), body))
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if logged:
            took = (time.perf_counter() - started) * 1e3
            log.debug("%s %s %s %.1f ms", "GET", redacted(path), status.value, took)
        return True

    def _plain(self, data: bytes) -> tuple[str, str, str | None, Fields] | None:
        """Path, query, range and fields when the data are the whole head of one GET below /media/, and no more."""
        line = data.find(b"\r\n")
        if not data.startswith(_BEGINNING) or not data.endswith(_VERSION, 0, line) or len(data) > HEAD_LIMIT:
            return None
        part = None
        block = data[line + 2 :]
        at = data.find(_RANGE, line)
        if at >= 0:
            # Apart from all others, which are the same again and again where this one is not.
            end = data.find(b"\r\n", at + 2)
            part = data[at + len(_RANGE) : end].decode("latin-1").strip(" ")
            block = data[line + 2 : at + 2] + data[end + 2 :]
        if block != self._block:
            self._block, self._fields = block, plain(block)
        fields = self._fields
        if fields is None:
            return None
        if part is None:
            part = fields.range
        elif fields.range is not None or not (part.isascii() and part.isprintable()):
            return None
        path = data[_PATH : line - len(_VERSION)].decode("latin-1")
        path, _, query = path.partition("?")
        if query and not _QUERY.fullmatch(query):
            return None
        return path, query, part, fields

    def _process_keepalive(self) -> None:
        """As aiohttp does, but a client that has not taken its answer yet is not idle."""
        if self._paused:
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        super()._process_keepalive()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - the base's signature
        """As aiohttp does, but an answer on its way gets the time of a request in hand, which it waits for twice."""
        transport = self.transport
        if transport is not None and not self._request_in_progress:
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(timeout and 2 * timeout):
                    transport.set_write_buffer_limits(0)  # from now on writing is paused until all is sent
                    await self._drain_helper()
        await super().shutdown(timeout)
