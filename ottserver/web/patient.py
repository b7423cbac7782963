"""aiohttp's side of one connection, held to its bounds: what trickles in or is not taken ends in time."""

from __future__ import annotations

import asyncio
import logging
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from aiohttp.http_writer import MIN_PAYLOAD_FOR_WRITELINES, Buffer, StreamWriter
from aiohttp.web_protocol import RequestHandler

from ottserver.ids import new_id
from ottserver.web import problems
from ottserver.web.bounds import Pace, cut_off, taken_bytes
from ottserver.web.heads import COMMON_HEADERS, REQUEST_ID, SERVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

    from ottserver.web.bounds import Door

log = logging.getLogger(__name__)

HEAD_BYTES = 65_536
"""Of all of a head together; a line may have far less."""
RETRY_SECONDS = 5
LINGER_SECONDS = 1.0
LINGERING_LIMIT = 64


class BoundedConnection(RequestHandler):
    """Leans on aiohttp's inside as `ottserver.web.instant` does."""

    __slots__ = (
        "_door",
        "_first_close",
        "_got",
        "_head_bytes",
        "_head_since",
        "_line",
        "_opened",
        "_sending",
        "_taking",
    )

    def __init__(self, manager: web.Server, door: Door, **settings: Any) -> None:  # noqa: ANN401 - aiohttp's own arguments
        """Be let in by `door`, which then looks after it."""
        super().__init__(
            manager, loop=asyncio.get_running_loop(), keepalive_timeout=door.bounds.keep_alive_seconds, **settings
        )
        self._door = door
        self._line: asyncio.Transport | None = None
        """The transport until it is gone; aiohttp's own is forgotten when the closing begins."""
        self._opened = self._loop.time()
        self._first_close = 0.0
        self._head_since = 0.0
        self._head_bytes = 0
        self._got = 0
        self._sending, self._taking = Pace(), Pace()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Come in, or be told why not."""
        line = self._line = cast("asyncio.Transport", transport)
        peer = line.get_extra_info("peername")
        refusal = self._door.enter(self, peer[0] if isinstance(peer, tuple) else None)
        if refusal is not None:
            self._force_close = True
            line.write(_answer(HTTPStatus.SERVICE_UNAVAILABLE, "Busy", refusal))
            self._linger(line)
            return
        super().connection_made(transport)
        self._first_close = self._next_keepalive_close_time

    def connection_lost(self, exc: BaseException | None) -> None:
        """Leave."""
        self._line = None
        self._door.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """As aiohttp does, knowing when a head began and how much has come."""
        count = self._request_count
        super().data_received(data)
        self._got += len(data)
        if self._request_count != count:
            self._head_since, self._head_bytes = 0.0, 0
        elif data and not self._force_close and self._awaits_head:
            self._head_since = self._head_since or self._loop.time()
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    @property
    def _awaits_head(self) -> bool:
        if self._messages:
            return False
        waiter = self._waiter
        return not self._request_count if waiter is None else not waiter.done()

    @property
    def spare(self) -> bool:
        """Whether nothing happens on it, nor has anything to be sent."""
        line = self._line
        return line is not None and self._awaits_head and not self._head_since and not line.get_write_buffer_size()

    def look(self, now: float) -> None:
        """End the connection when it keeps the server waiting; `now` is the loop's time, in seconds."""
        line = self._line
        if line is None:
            return
        if self._is_left_with_its_answer(line, now):
            log.debug("a client does not take its answer")
            cut_off(line)
        elif self._force_close:
            return
        elif self._awaits_head:
            self._taking.rest()
            self._look_at_head(now)
        elif self._is_left_without_body(now):
            log.debug("a request's body does not arrive")
            cut_off(line)

    def _is_left_with_its_answer(self, line: asyncio.Transport, now: float) -> bool:
        waiting = line.get_write_buffer_size()
        if not waiting:
            self._sending.rest()
            return False
        taken = taken_bytes(line)
        return self._sending.too_slow(now, -waiting if taken is None else taken, self._door.bounds)

    def _is_left_without_body(self, now: float) -> bool:
        request = self._current_request
        if request is None or request.content.is_eof() or self._reading_paused or self._buffer_paused:
            self._taking.rest()
            return False
        return self._taking.too_slow(now, self._got, self._door.bounds)

    def _look_at_head(self, now: float) -> None:
        patience = self._door.bounds.head_seconds
        if self._head_since:
            if now - self._head_since >= patience:
                self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif self._next_keepalive_close_time == self._first_close and now - self._opened >= patience:
            self.force_close()  # it never asked for anything

    def _refuse(self, status: HTTPStatus) -> None:
        line = self._line
        if line is not None and not line.get_write_buffer_size():
            line.write(_answer(status, status.phrase, problems.EXPLAINED[status]))
        if self._waiter is not None:
            self._waiter.cancel()
        self._force_close = True
        if line is not None:
            self._linger(line)

    def _linger(self, line: asyncio.Transport) -> None:
        """Close in a moment: closing while bytes of the client are unread would take the answer away from it."""
        door = self._door
        if door.lingering >= LINGERING_LIMIT or not line.can_write_eof():
            line.close()
            return
        line.write_eof()
        door.lingering += 1

        def end() -> None:
            door.lingering -= 1
            line.close()

        self._loop.call_later(LINGER_SECONDS, end)


class SharingWriter(StreamWriter):
    """Hands large bodies on as they are, where aiohttp would put head and body together in bytes of their own.

    So a client that reads slowly holds a reference to a segment in the cache, and not a copy of it; uvloop still sends
    both in one call.
    """

    def _writelines(self, chunks: Iterable[Buffer]) -> None:
        parts = tuple(chunks)
        if sum(map(len, parts)) < MIN_PAYLOAD_FOR_WRITELINES:
            super()._writelines(parts)
            return
        for part in parts:
            self._write(part)


def _answer(status: HTTPStatus, title: str, detail: str) -> bytes:
    """A problem document on a connection that ends with it."""
    response = problems.problem(status, title, detail)
    body = cast("bytes", response.body)
    fields = {
        **response.headers,
        "Content-Length": str(len(body)),
        "Date": formatdate(usegmt=True),
        "Server": SERVER,
        REQUEST_ID: new_id(),
        **COMMON_HEADERS,
        "Connection": "close",
    }
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        fields["Retry-After"] = str(RETRY_SECONDS)
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n{lines}\r\n".encode("latin-1") + body
