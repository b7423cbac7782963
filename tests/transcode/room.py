"""A transcode room on SQLite and a folder, as the server would open it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from ottserver.backends.blobs import open_blobs
from ottserver.backends.blobs.space import Space
from ottserver.backends.database import open_database
from ottserver.backends.database.schema import outbox
from ottserver.events import FACTS, Fact, SourceReady
from ottserver.ingest.probe import probe
from ottserver.transcode.service import TranscodeService
from tests.transcode.stitching import SMALL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ottserver.backends.blobs import Blobs
    from ottserver.backends.database import Database
    from ottserver.media import SourceReport

SOURCE_ID = "01900000-0000-7000-8000-000000000001"
SHA256 = "ab" * 32
BLOB_KEY = f"sources/{SHA256}"


class Watcher:
    """Keeps the progress that was published."""

    def __init__(self) -> None:
        self.seen: list[dict[str, object]] = []

    def publish(self, topic: str, payload: dict[str, object]) -> None:
        assert topic == "transcode"
        self.seen.append(payload)


@dataclass
class OpenRoom:
    """The room while it is open."""

    service: TranscodeService
    blobs: Blobs
    database: Database
    watcher: Watcher

    async def facts(self) -> list[Fact]:
        """Every fact announced so far, in order."""
        async with self.database.reading() as connection:
            rows = await connection.execute(sa.select(outbox.c.type, outbox.c.payload).order_by(outbox.c.seq))
            return [TypeAdapter[Any](FACTS[kind]).validate_json(payload) for kind, payload in rows]

    async def fact(self, kind: type[Fact], number: int = 1) -> Fact:
        """The first fact of that kind, or a later one, once it is announced."""
        while True:
            found = [fact for fact in await self.facts() if isinstance(fact, kind)]
            if len(found) >= number:
                return found[number - 1]
            await asyncio.sleep(0.05)

    async def keys(self, folder: str) -> set[str]:
        """Every blob key below a folder."""
        return {info.key async for info in self.blobs.list(folder)}


class Room:
    """What stays when the room is closed: database file and blob folder."""

    def __init__(self, folder: Path, film: Path, report: SourceReport) -> None:
        self._folder = folder
        self._film = film
        self.ready = SourceReady(SOURCE_ID, SHA256, BLOB_KEY, report)

    def take(self, film: Path) -> None:
        """Let the source be another film."""
        self._film = film
        self.ready = SourceReady(SOURCE_ID, SHA256, BLOB_KEY, probe(film))

    @asynccontextmanager
    async def open(self, *, fill: bool = False, **settings: Any) -> AsyncIterator[OpenRoom]:  # noqa: ANN401 - whatever settings a test wants
        """Open the room; its source is in the blob store."""
        (self._folder / "scratch").mkdir(exist_ok=True)
        watcher = Watcher()
        async with (
            open_database(f"sqlite:///{self._folder}/ott.db") as database,
            open_blobs(f"file://{self._folder}/blobs", self._folder / "scratch") as blobs,
        ):
            await blobs.put_file(BLOB_KEY, self._film)
            space = Space(blobs, self._folder, reserve_bytes=0)
            service = TranscodeService(database, blobs, replace(SMALL, **settings), watcher, space)
            async with service.running(fill=fill):
                yield OpenRoom(service, blobs, database, watcher)
