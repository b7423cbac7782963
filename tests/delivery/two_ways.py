"""Two servers of one film, one that answers at once what it can and one that leaves everything to aiohttp."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CollectorRegistry

from ottserver.backends.blobs import open_blobs
from ottserver.delivery.handlers import routes
from ottserver.delivery.instant import instant_media
from ottserver.delivery.metrics import DeliveryMetrics
from ottserver.delivery.service import Delivery
from ottserver.delivery.tickets import Tickets
from ottserver.web.guards import Guard
from ottserver.web.instant import InstantConnection
from ottserver.web.limits import RateLimits
from ottserver.web.server import build_application, make_runner
from tests.delivery.films import SESSION_ID, VIDEO_ID, Library, Nobody, StoredSegments, presentation, store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from ottserver.backends.blobs import Blobs
    from ottserver.media import Presentation
    from ottserver.web.instant import Fields, Instant, InstantAnswers

ORIGIN = "https://films.example"
"""The origin that may play."""
HOST = b"Host: x\r\n"
LAST = b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
"""Whatever came before, the server ends the connection after this."""
TURNS = 15
"""Of the loop, which the servers run on too: enough for one to read a chunk by itself, and to answer it."""
_CHANGES = re.compile(
    rb"(?<=\r\nDate: )[^\r]+|(?<=\r\nX-Request-Id: )[0-9a-f]{8}-[0-9a-f-]{27}(?=\r\n)|(?<=;rd=)[0-9]+"
)


@dataclass
class Way:
    """One of the two servers."""

    runner: web.AppRunner
    delivery: Delivery
    registry: CollectorRegistry
    taken: list[str] = field(default_factory=list)
    """The paths that were answered at once."""

    @property
    def place(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self.runner.addresses[0][:2]
        return host, port

    async def send(self, chunks: Sequence[bytes]) -> bytes:
        """All that comes back for chunks that arrive one after the other, but for dates and ids that change."""
        reader, writer = await asyncio.open_connection(*self.place)
        try:
            for chunk in chunks:
                writer.write(chunk)
                for _ in range(TURNS):
                    await asyncio.sleep(0)
            async with asyncio.timeout(10):
                return _CHANGES.sub(b"*", await reader.read())
        finally:
            writer.close()

    def connection(self) -> InstantConnection:
        """The server's side of the one connection there is."""
        server = self.runner.server
        [found] = server.connections if server is not None else []
        assert isinstance(found, InstantConnection)
        return found

    def counted(self) -> dict[str, float]:
        """Every count of the registry."""
        return {
            f"{sample.name}{sample.labels}": sample.value
            for metric in self.registry.collect()
            for sample in metric.samples
            if not sample.name.endswith("_created")
        }


@dataclass
class TwoWays:
    """The same film behind both."""

    at_once: Way
    parsed: Way
    film: Presentation
    tickets: Tickets
    blobs: Blobs

    async def same(self, chunks: Sequence[bytes]) -> bytes:
        """What both answer to the chunks and a last request; fails where they differ."""
        first, second = [await way.send([*chunks, LAST]) for way in (self.at_once, self.parsed)]
        assert first == second, chunks
        assert self.at_once.counted() == self.parsed.counted(), chunks
        assert self.at_once.delivery.take_active() == self.parsed.delivery.take_active(), chunks
        return first


@asynccontextmanager
async def two_ways(tickets: Tickets, folder: Path, origins: tuple[str, ...] = ()) -> AsyncIterator[TwoWays]:
    """Both servers on free ports of this machine."""
    film = presentation()
    async with AsyncExitStack() as stack:
        blobs = await stack.enter_async_context(open_blobs("memory://", folder))
        await store(blobs, film)

        async def way(*, at_once: bool) -> Way:
            registry = CollectorRegistry()
            metrics = DeliveryMetrics(registry)
            delivery = Delivery(
                tickets=tickets,
                segments=StoredSegments(blobs),
                presentations=Library({film.id: film}),
                metrics=metrics,
                cache_bytes=50_000_000,
            )
            stack.push_async_callback(delivery.close)
            application = build_application(
                routes(delivery, metrics, origins), Guard(Nobody(), ""), RateLimits(on=True), secure_cookies=False
            )
            taken: list[str] = []
            instant = _noted(instant_media(delivery, metrics, origins), taken)
            runner = make_runner(application, instant=instant if at_once else None, shutdown_seconds=4)
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return Way(runner, delivery, registry, taken)

        yield TwoWays(await way(at_once=True), await way(at_once=False), film, tickets, blobs)


def _noted(answers: InstantAnswers, taken: list[str]) -> InstantAnswers:
    def answer(path: str, query: str, part: str | None, fields: Fields) -> Instant | None:
        found = answers(path, query, part, fields)
        if found is not None:
            taken.append(path)
        return found

    return answer


@asynccontextmanager
async def prepared(folder: Path) -> AsyncIterator[TwoWays]:
    """Two servers that have what is asked for in memory, under tickets that they have seen."""
    tickets = Tickets(b"a secret of thirty-two bytes ...", lifetime_seconds=3600, now=lambda: 1_800_000_000)
    async with two_ways(tickets, folder, (ORIGIN,)) as ways:
        for height in (480, 1080):
            await ways.same([get(address(ways, height=height))])
        await ways.same([get(address(ways, "v1080"))])
        assert not ways.at_once.taken
        yield ways


def address(ways: TwoWays, rendition: str = "v480", *, height: int = 1080, session: str = SESSION_ID) -> str:
    ticket = ways.tickets.issue(session_id=session, video_id=VIDEO_ID, presentation_id=ways.film.id, max_height=height)
    return f"/media/{ticket}/{VIDEO_ID}/{ways.film.id}/{rendition}/1.m4s"


def get(target: str, fields: bytes = HOST, *, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    return f"{method} {target} {version}\r\n".encode() + fields + b"\r\n"
