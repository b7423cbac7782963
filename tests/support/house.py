"""Ingest and catalog on embedded backends; in the place of transcode, only the facts that it would announce."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from aiohttp.test_utils import TestClient, TestServer

from ottserver.backends.blobs import open_blobs
from ottserver.backends.blobs.space import Space
from ottserver.backends.bus import open_bus
from ottserver.backends.database import open_database
from ottserver.backends.database.schema import outbox
from ottserver.catalog import admin, handlers
from ottserver.catalog.browsing import Browsing
from ottserver.catalog.models import Encoding
from ottserver.catalog.service import CatalogService, subscribe as subscribe_catalog
from ottserver.catalog.shelves import Shelves
from ottserver.catalog.usage import SourceUsage
from ottserver.clock import utcnow
from ottserver.errors import NotAuthenticated
from ottserver.identity import Principal
from ottserver.ids import new_id
from ottserver.ingest import store as ingest_store
from ottserver.ingest.handlers import routes as upload_routes
from ottserver.ingest.models import ProbeFailed
from ottserver.ingest.service import IngestLimits, IngestService, Probe, subscribe as subscribe_ingest
from ottserver.live import LiveFeed
from ottserver.media import (
    AudioStream,
    Chapter,
    Outlook,
    Presentation,
    Rendition,
    SourceReport,
    SubtitleStream,
    VideoStream,
)
from ottserver.web.guards import Guard
from ottserver.web.limits import RateLimits
from ottserver.web.server import build_application

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from aiohttp import web

    from ottserver.backends.blobs import Blobs
    from ottserver.backends.bus import Bus
    from ottserver.backends.database import Database
    from ottserver.events import Fact
    from ottserver.identity import Role
    from ottserver.ingest.models import Source

T = TypeVar("T")

OWNER, MEMBER = new_id(), new_id()
PATIENCE_SECONDS = 10.0
FILM = b"a film " * 40_000
"""Bytes that the house's probe takes for a film."""

REPORT = SourceReport(
    container="matroska",
    size_bytes=len(FILM),
    duration_seconds=10.0,
    video=VideoStream(0, "h264", 1280, 720, "1/1", 0, "yuv420p", False, "24/1", "1/24", 0, 240),  # noqa: FBT003 - a long record
    audio=(AudioStream(1, "aac", 48000, 2, "stereo", "en", "", True, "1/48000", 0),),  # noqa: FBT003 - a long record
    subtitles=(SubtitleStream(2, "subrip", "de", "Deutsch", False, False),),  # noqa: FBT003 - a long record
    chapters=(Chapter(0.0, 5.0, "One"),),
)


async def probe(path: Path, *, timeout_seconds: float) -> SourceReport:
    """Takes `FILM` for a film and anything else for none."""
    assert timeout_seconds > 0
    if not (await asyncio.to_thread(path.read_bytes)).startswith(b"a film "):
        raise ProbeFailed("The file is not a video: it is text.")
    return REPORT


def presentation(source_id: str, letter: str = "a") -> Presentation:
    """Two rungs and one audio track of five segments each."""
    boundaries = tuple(range(0, 11, 2))
    video = [
        Rendition(f"v{height}", "video", "avc1.64001f", rate, rate, 1, boundaries, height * 16 // 9, height, height)
        for height, rate in ((480, 800_000), (720, 2_500_000))
    ]
    audio = Rendition(
        "a0", "audio", "mp4a.40.2", 128_000, 128_000, 1, boundaries, channels=2, language="en", default=True
    )
    return Presentation(letter * 32, source_id, 10.0, (*video, audio))


class Doors:
    """Lets in two people: the tokens are "owner" and "member"."""

    async def authenticate(self, token: str) -> Principal:
        """Who that is."""
        accounts: dict[str, tuple[str, Role]] = {"owner": (OWNER, "owner"), "member": (MEMBER, "member")}
        if token not in accounts:
            raise NotAuthenticated("This access token is not valid.")
        account_id, role = accounts[token]
        return Principal(account_id, role, new_id())


@dataclass
class House:
    """The two rooms, open and running."""

    folder: Path
    database: Database
    blobs: Blobs
    bus: Bus
    ingest: IngestService
    catalog: CatalogService
    live: LiveFeed
    application: web.Application
    encodings: dict[str, Encoding]
    begun: list[tuple[str, float, float]]
    ready: dict[str, dict[str, tuple[int, int]]]
    clients: list[TestClient[Any, Any]] = field(default_factory=list)

    async def announce(self, *facts: Fact) -> None:
        """Say what another room would, and wait until everybody has heard it."""
        async with self.database.writing() as unit:
            for fact in facts:
                await unit.announce(fact)
        await self.settled()

    async def uploads_of(self, source_id: str) -> list[str]:
        """The uploads that brought the source."""
        async with self.database.reading() as connection:
            return await ingest_store.uploads_of(connection, source_id)

    async def expire(self, upload_id: str) -> None:
        """Let the upload's time be over."""
        async with self.database.writing() as unit:
            await ingest_store.change_upload(
                unit.connection, upload_id, only_from=("receiving",), expires_at=utcnow() - timedelta(seconds=1)
            )

    async def announced(self, fact: type[Fact]) -> int:
        """How often a fact of this type was announced."""
        query = sa.select(sa.func.count()).where(outbox.c.type == fact.__name__)
        async with self.database.reading() as connection:
            return await connection.scalar(query) or 0

    async def settled(self) -> None:
        """Wait until all facts there are have been digested."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.bus.drained()

    async def until_source(self, source_id: str, state: str) -> Source:
        """Wait until the source is in that state and everybody has heard of it."""

        async def look() -> Source | None:
            source = await self.ingest.source(source_id)
            return source if source.state == state else None

        source = await eventually(look)
        await self.settled()
        return source

    async def until_stored(self, upload_id: str) -> str:
        """Wait until the upload has become a source; the source's id."""

        async def look() -> str | None:
            state = await self.ingest.source_of_upload(upload_id)
            return state.source_id if state.state == "stored" else None

        return await eventually(look)

    async def client(self, who: str = "owner") -> TestClient[Any, Any]:
        """A client that is signed in; every house has one server."""
        if not self.clients:
            server = TestServer(self.application)
            await server.start_server()
            self.clients.append(TestClient(server))
        client: TestClient[Any, Any] = TestClient(
            self.clients[0].server, headers={"Authorization": f"Bearer {who}"} if who else {}
        )
        self.clients.append(client)
        return client

    async def probed(self, data: bytes = FILM) -> str:
        """Upload the bytes and wait until they are probed; the source's id."""
        upload_id = await self.upload(data)
        source_id = await self.until_stored(upload_id)
        await self.until_source(source_id, "ready" if data.startswith(b"a film ") else "failed")
        return source_id

    async def upload(self, data: bytes = FILM) -> str:
        """Upload the bytes whole; the upload's id."""
        arrived = await self.ingest.uploads.create(OWNER, len(data), "")
        if data:
            await self.ingest.uploads.append(arrived.upload.id, 0, body(data))
        return arrived.upload.id


async def eventually(look: Callable[[], Awaitable[T | None]]) -> T:
    """What `look` finds, as soon as it finds something; fails when that takes too long."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if (found := await look()) is not None:
                return found
            await asyncio.sleep(0.01)


async def body(*blocks: bytes) -> AsyncIterator[bytes]:
    """A request's body."""
    for block in blocks:
        yield block


@dataclass
class _Others:
    """What app.py wires from the other rooms."""

    ingest: IngestService
    encodings: dict[str, Encoding]
    begun: list[tuple[str, float, float]]
    ready: dict[str, dict[str, tuple[int, int]]]

    async def source(self, source_id: str) -> Source:
        return await self.ingest.source(source_id)

    async def encoding(self, source_id: str) -> Encoding:
        return self.encodings.get(source_id, Encoding())

    async def continue_watching(self, account_id: str, limit: int) -> Sequence[tuple[str, float, float]]:
        return self.begun[:limit] if account_id == MEMBER else []

    async def readiness(self, presentation_id: str) -> dict[str, tuple[int, int]]:
        return self.ready.get(presentation_id, {})

    async def outlook(self, presentation_id: str) -> Outlook:
        waits = "1 film before it." if presentation_id in self.ready else ""
        return Outlook(
            made=0.25,
            seconds_left=90.5,
            renditions={"v480": 60.5},
            waits_for=waits,
            damaged=(("v480", 1, "it crashed"),),
        )


@asynccontextmanager
async def house(
    folder: Path,
    *,
    blobs_url: str | None = None,
    lifetime: timedelta = timedelta(days=1),
    probe: Probe = probe,
    working: bool = True,
) -> AsyncIterator[House]:
    """Open the rooms on a folder; without `working` nothing happens in the background, as after a crash."""
    url = blobs_url or f"file://{folder}/blobs"
    async with open_database(f"sqlite:///{folder}/ott.db") as database, open_blobs(url, folder / "scratch") as blobs:
        bus, live = open_bus("outbox://", database), LiveFeed()
        ingest = IngestService(
            database=database,
            blobs=blobs,
            staging=folder / "uploads",
            users=SourceUsage(),
            probe=probe,
            limits=IngestLimits(10_000_000, lifetime, 10.0),
            space=Space(blobs, folder, reserve_bytes=0),
        )
        others = _Others(ingest, {}, [], {})
        shelves = Shelves(database)
        catalog = CatalogService(
            database=shelves.noticing(database), uploads=ingest, states=others, live=live, blobs=blobs
        )
        subscribe_ingest(bus, ingest)
        subscribe_catalog(bus, catalog)
        browsing = Browsing(database=database, shelves=shelves, blobs=blobs, history=others)
        application = build_application(
            [*upload_routes(ingest), *handlers.routes(browsing), *admin.routes(catalog, others)],
            Guard(Doors(), ""),
            RateLimits(on=False),
            secure_cookies=False,
        )
        opened = House(
            folder,
            database,
            blobs,
            bus,
            ingest,
            catalog,
            live,
            application,
            others.encodings,
            others.begun,
            others.ready,
        )
        try:
            if working:
                async with ingest.running(), catalog.running(), bus.running():
                    yield opened
                    catalog.end_streams()
            else:
                (folder / "uploads").mkdir(exist_ok=True)
                yield opened
        finally:
            for client in reversed(opened.clients):
                await client.close()
