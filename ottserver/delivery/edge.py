"""The edge: whole bodies in memory, and one fetch for a missing one however many wait for it."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ottserver.delivery.shelf import Shelf
from ottserver.delivery.viewers import Place, Viewers
from ottserver.errors import Busy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from ottserver.delivery.metrics import DeliveryMetrics

FLIGHTS_LIMIT = 1_000
FLIGHTS_OF_ONE = 16
"""Bodies that are fetched at once for one who asks: more than any player wants, too few to keep the others waiting."""
_OVERHEAD_BYTES = 1_800
"""What a body costs beside its bytes: key, tag, header fields, place and the objects around them."""
IMMUTABLE = "public, max-age=31536000, immutable"
_HASH_INLINE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """Bytes that never change, with what HTTP says of them."""

    data: bytes
    etag: str
    """Strong entity tag with its quotes: a hash of the bytes, so the same on every machine, always."""
    content_type: str
    needed_height: int = 0
    """The least `max_height` of a plan that opens it; 0 where every plan does."""
    place: Place | None = None
    """Where in the film it is; nothing for what is no media segment."""
    told: str = field(init=False)
    """The header fields of every answer with bytes of a segment, each with its CRLF."""

    def __post_init__(self) -> None:
        """Write the fields down once."""
        told = (
            f"Etag: {self.etag}\r\nAccept-Ranges: bytes\r\nCache-Control: {IMMUTABLE}\r\n"
            f"Content-Type: {self.content_type}\r\n"
        )
        object.__setattr__(self, "told", told)


class NotMade(Exception):
    """A segment that is only wanted ahead of time does not exist yet."""


class _Flight:
    """One fetch under way, who asked for it first and how many wait for it."""

    __slots__ = ("asker", "task", "waiting")

    def __init__(self, task: asyncio.Task[Body], asker: str) -> None:
        self.task = task
        self.asker = asker
        self.waiting = 0


class Edge:
    """Keeps bodies up to a number of bytes. Failures are never kept."""

    def __init__(self, limit_bytes: int, metrics: DeliveryMetrics, viewers: Viewers | None = None) -> None:
        """Start empty; `viewers` foresees what will be asked for."""
        self._bodies: Shelf[Body] = Shelf(limit_bytes, viewers or Viewers())
        self.peek = self._bodies.get
        """The body if it is in memory, without counting. Never waits."""
        self.holds = self._bodies.__contains__
        """Whether the body is in memory; that does not count as asking for it."""
        self._flights: dict[str, _Flight] = {}
        self._metrics = metrics

    def cached(self, key: str) -> Body | None:
        """The body if it is in memory. Never waits."""
        body = self.peek(key)
        if body is not None:
            self._metrics.hits.inc()
        return body

    async def fetch(
        self,
        key: str,
        make: Callable[[], Awaitable[bytes]],
        content_type: str,
        needed_height: int = 0,
        *,
        asker: str = "",
        place: Place | None = None,
    ) -> Body:
        """The body, from memory or from `make`, which runs once for all who wait and is cancelled when none is left.

        Raises what `make` raises, and `Busy` when too many different bodies are being fetched, in all or for `asker`.
        """
        body = self.cached(key)
        if body is not None:
            return body
        flight = self._flights.get(key)
        if flight is not None:
            self._metrics.coalesced.inc()
            try:
                return await self._join(key, flight)
            except NotMade:  # somebody only looked whether it was there, and it was not
                flight = self._flights.get(key)
        if flight is None:
            self._check_room(asker)
            self._metrics.misses.inc()
            flight = self._start(key, partial(self._fly, key, make, content_type, needed_height, place), asker)
        return await self._join(key, flight)

    async def ahead(
        self, key: str, made: Callable[[], Awaitable[bytes]], content_type: str, needed_height: int, place: Place
    ) -> Body | None:
        """The body that will be asked for soon, if `made` finds one; nothing when there is, or it is on its way."""
        if self.holds(key) or key in self._flights or len(self._flights) >= FLIGHTS_LIMIT:
            return None

        async def only_made() -> bytes:
            data = await made()
            if not data:
                raise NotMade(key)
            return data

        flight = self._start(key, partial(self._fly, key, only_made, content_type, needed_height, place), "")
        body = await self._join(key, flight)
        self._metrics.ahead.inc()
        return body

    def _start(self, key: str, fly: Callable[[], Coroutine[None, None, Body]], asker: str) -> _Flight:
        flight = self._flights[key] = _Flight(asyncio.create_task(fly()), asker)
        flight.task.add_done_callback(_retrieve)
        return flight

    async def _join(self, key: str, flight: _Flight) -> Body:
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._land(key, flight.task)
                flight.task.cancel()

    def _check_room(self, asker: str) -> None:
        own = sum(flight.asker == asker for flight in self._flights.values()) if asker else 0
        if own >= FLIGHTS_OF_ONE or len(self._flights) >= FLIGHTS_LIMIT:
            message = "Too many different segments are being asked for at the moment; try again shortly."
            raise Busy(message, retry_after=1.0)

    async def _fly(
        self,
        key: str,
        make: Callable[[], Awaitable[bytes]],
        content_type: str,
        needed_height: int,
        place: Place | None,
    ) -> Body:
        try:
            data = await make()
            etag = _etag(data) if len(data) <= _HASH_INLINE_BYTES else await asyncio.to_thread(_etag, data)
            body = Body(data, etag, content_type, needed_height, place)
            self._bodies.put(key, body, len(data) + _OVERHEAD_BYTES, place)
            self._metrics.cached_bytes.set(self._bodies.bytes)
            return body
        finally:
            self._land(key, asyncio.current_task())

    def _land(self, key: str, task: asyncio.Task[Body] | asyncio.Task[object] | None) -> None:
        """Forget the flight, unless another one for the same key has started since."""
        flight = self._flights.get(key)
        if flight is not None and flight.task is task:
            del self._flights[key]

    async def close(self) -> None:
        """Cancel what is being fetched."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _etag(data: bytes) -> str:
    return f'"{hashlib.blake2b(data, digest_size=16).hexdigest()}"'


def _retrieve(task: asyncio.Task[Body]) -> None:
    """Look at the outcome, so that one nobody waited for is not reported as lost."""
    if not task.cancelled():
        task.exception()
