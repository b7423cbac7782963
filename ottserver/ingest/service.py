"""Ingest's use cases, put together: uploads become sources, sources are probed, and what nobody needs is removed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ottserver.clock import utcnow
from ottserver.errors import Conflict, NotFound
from ottserver.events import SourceStored, VideoRemoved, VideoReplaced
from ottserver.ingest import store
from ottserver.ingest.models import UploadState
from ottserver.ingest.sources import Probe, Sources, SourceUsers
from ottserver.ingest.staging import Staging
from ottserver.ingest.uploads import Uploads
from ottserver.ingest.worker import Worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import timedelta
    from pathlib import Path

    from ottserver.backends.blobs import Blobs
    from ottserver.backends.blobs.space import Space
    from ottserver.backends.bus import Bus
    from ottserver.backends.database import Database, UnitOfWork
    from ottserver.ingest.models import Source, Upload

__all__ = ["IngestLimits", "IngestService", "Probe", "SourceUsers", "subscribe"]

log = logging.getLogger(__name__)

SWEEP_SECONDS = 60.0
STORING_AT_ONCE = 1
"""Hashing and moving is bound by the disk: one after the other is fastest."""
PROBES_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class IngestLimits:
    """What an operator can set about uploads and probes."""

    max_upload_bytes: int
    upload_lifetime: timedelta
    """From the last sign of life of an upload to its end; also the time in which a video has to be made of it."""
    probe_timeout_seconds: float


class IngestService:
    """The room's front. What waits is in rows, so `running` goes on where a killed process had stopped."""

    def __init__(
        self,
        *,
        database: Database,
        blobs: Blobs,
        staging: Path,
        users: SourceUsers,
        probe: Probe,
        limits: IngestLimits,
        space: Space,
    ) -> None:
        """`staging` is a local folder for uploads that are still growing, best on the disk of the blob store."""
        self._database = database
        self._staging = Staging(staging, reserve_bytes=space.reserve_bytes)
        self.sources = Sources(
            database=database,
            blobs=blobs,
            staging=self._staging,
            users=users,
            probe=probe,
            probe_timeout_seconds=limits.probe_timeout_seconds,
            reserve_bytes=space.reserve_bytes,
        )
        self._storing = Worker(
            "storing upload", self.sources.received, self.sources.store_upload, at_once=STORING_AT_ONCE
        )
        self._probing = Worker("probing source", self.sources.unprobed, self.sources.probe, at_once=PROBES_AT_ONCE)
        self._sweep_now = asyncio.Event()
        self.uploads = Uploads(
            database=database,
            staging=self._staging,
            max_bytes=limits.max_upload_bytes,
            lifetime=limits.upload_lifetime,
            received=self._storing.wake,
            space=space,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Take uploads, store and probe while the context lasts."""
        await self._staging.open()
        tasks = [
            asyncio.create_task(self._storing.run(), name="ingest-storing"),
            asyncio.create_task(self._probing.run(), name="ingest-probing"),
            asyncio.create_task(self._sweep_forever(), name="ingest-sweep"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._staging.close()

    async def _sweep_forever(self) -> None:
        resumed = False
        while True:
            self._sweep_now.clear()
            try:
                if not resumed:
                    await self.uploads.resume()
                    await self.sources.resume()
                    resumed = True
                for source_id in await self.uploads.sweep():
                    await self.sources.release(source_id)
            except Exception:
                log.exception("expired uploads could not be swept; trying again")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SWEEP_SECONDS):
                    await self._sweep_now.wait()

    async def terminate_upload(self, upload_id: str) -> None:
        """End an upload and free what it takes. Raises `NotFound`, `Gone`, and `Conflict` when a video needs it."""
        source_id = await self.uploads.terminate(upload_id)
        if source_id is not None:
            await self.sources.release(source_id)

    async def claim_upload(self, unit: UnitOfWork, upload_id: str) -> UploadState:
        """Let a video be made of this upload, in the transaction that makes it. Raises `NotFound`."""
        upload = await store.upload(unit.connection, upload_id)
        unfinished = upload is not None and upload.state == "receiving" and upload.expires_at <= utcnow()
        if upload is None or upload.state == "gone" or unfinished:
            message = "There is no upload with this id, or it was not finished in time."
            raise NotFound(message)
        await store.change_upload(unit.connection, upload_id, only_from=(upload.state,), claimed_at=utcnow())
        return _state(upload)

    async def release_upload(self, unit: UnitOfWork, upload_id: str) -> None:
        """The video made of this upload is no more, or uses another one; in the transaction that makes it so."""
        await store.change_upload(
            unit.connection,
            upload_id,
            only_from=("receiving", "received", "stored", "failed"),
            claimed_at=None,
            expires_at=utcnow(),
        )

    async def source_of_upload(self, upload_id: str) -> UploadState:
        """How far the upload is on its way to becoming a source. Raises `NotFound`, and `Gone` when it has ended."""
        return _state(await self.uploads.find(upload_id))

    async def source(self, source_id: str) -> Source:
        """The source, its state, and once it is ready its report. Raises `NotFound`."""
        return await self.sources.find(source_id)

    async def take_source(self, unit: UnitOfWork, source_id: str) -> Source:
        """The source, to make a video of it in this transaction. Raises `NotFound` and `Conflict`."""
        source = await store.source(unit.connection, source_id)
        if source is None:
            message = "There is no source with this id."
            raise NotFound(message)
        if source.state in ("removing", "removed"):
            message = "The bytes of this source have been removed; import or upload the file again."
            raise Conflict(message)
        return source

    async def on_source_stored(self, _: SourceStored) -> None:
        """Wake the prober; what it works on is in the rows."""
        self._probing.wake()

    async def on_source_left(self, fact: VideoRemoved | VideoReplaced) -> None:
        """A video no longer uses a source, or the upload it waited for."""
        self._sweep_now.set()
        if fact.source_id:
            await self.sources.release(fact.source_id)


def _state(upload: Upload) -> UploadState:
    return UploadState(upload.id, upload.state, upload.source_id, upload.filename, upload.length, upload.reason)


def subscribe(bus: Bus, service: IngestService) -> None:
    """Let ingest follow the facts that concern it."""
    bus.subscribe("ingest", SourceStored, service.on_source_stored)
    bus.subscribe("ingest", VideoRemoved, service.on_source_left)
    bus.subscribe("ingest", VideoReplaced, service.on_source_left)
