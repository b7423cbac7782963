"""Sources: bytes kept once under their hash, probed, and removed when nobody needs them any more."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ottserver.backends.blobs import BlobMissing
from ottserver.clock import utcnow
from ottserver.errors import Busy, NotFound
from ottserver.events import SourceFailed, SourceReady, SourceRemoved, SourceStored, UploadFailed, UploadStored
from ottserver.ingest import store
from ottserver.ingest.hashing import sha256_of
from ottserver.ingest.models import ProbeFailed, blob_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from ottserver.backends.blobs import Blobs
    from ottserver.backends.database import Database, UnitOfWork
    from ottserver.ingest.models import Source, Upload
    from ottserver.ingest.staging import Staging
    from ottserver.media import SourceReport

REMOVAL_TRIES = 100
REMOVAL_POLL_SECONDS = 0.1
LOST = "The server lost the bytes of this upload before they were stored; upload the file again."


class SourceUsers(Protocol):
    """What ingest needs to know of those who use sources: the catalog's videos."""

    async def uses_source(self, unit: UnitOfWork, source_id: str, upload_ids: Sequence[str]) -> bool:
        """Whether a video is made of this source, or waits for one of these uploads; asked inside a transaction."""
        ...


class Probe(Protocol):
    """Examines a file in another process."""

    def __call__(self, path: Path, *, timeout_seconds: float) -> Awaitable[SourceReport]:
        """What is in the file. Raises `ProbeFailed`."""
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """A source whose bytes are in the blob store."""

    source: Source
    duplicate: bool
    """Whether it had been there before."""


class SourceKeeper:
    """Puts bytes under their hash, from whichever process has them."""

    def __init__(self, *, database: Database) -> None:
        """Keep the rows here; the bytes are brought by whoever has them."""
        self._database = database

    async def keep(
        self, sha256: str, size_bytes: int, put: Callable[[str], Awaitable[None]], upload: Upload | None = None
    ) -> Kept:
        """Make the source with this hash exist. `put(key)` brings the bytes; it is called even when they are there.

        The row says that bytes are arriving before they arrive, so that no removal takes them away again; what a crash
        leaves half done, the next call with the same bytes completes. Raises `Busy` when a removal takes too long.
        """
        for _ in range(REMOVAL_TRIES):
            source = await self._expect(sha256, size_bytes, upload)
            if source.state != "removing":
                await put(source.blob_key)
                kept = await self._settle(source.id, upload)
                if kept is not None:
                    return kept
            await asyncio.sleep(REMOVAL_POLL_SECONDS)
        message = "The same file is being removed at the moment; try again shortly."
        raise Busy(message)

    async def _expect(self, sha256: str, size_bytes: int, upload: Upload | None) -> Source:
        async with self._database.writing() as unit:
            source = await store.expect_source(unit.connection, sha256, size_bytes)
            if upload is not None and source.state != "removing":
                await store.change_upload(
                    unit.connection, upload.id, only_from=("received",), sha256=sha256, source_id=source.id
                )
        return source

    async def _settle(self, source_id: str, upload: Upload | None) -> Kept | None:
        async with self._database.writing() as unit:
            source = await store.source(unit.connection, source_id)
            if source is None or source.state in ("removing", "removed"):
                return None
            if source.state == "arriving":
                await store.change_source(unit.connection, source_id, "stored", only_from=("arriving",))
                await unit.announce(SourceStored(source_id, source.sha256, source.size_bytes, source.blob_key))
            if upload is not None and await store.change_upload(
                unit.connection, upload.id, only_from=("received",), state="stored"
            ):
                await unit.announce(UploadStored(upload.id, source_id))
        return Kept(source, duplicate=source.state != "arriving")


class Sources:
    """What happens to received uploads and to sources in the background of the server."""

    def __init__(
        self,
        *,
        database: Database,
        blobs: Blobs,
        staging: Staging,
        users: SourceUsers,
        probe: Probe,
        probe_timeout_seconds: float,
        reserve_bytes: int,
    ) -> None:
        """`users` know whether a source is needed; `probe` examines a file for at most `probe_timeout_seconds`.

        Where bytes have to be copied, `reserve_bytes` of room are left.
        """
        self._database = database
        self._blobs = blobs
        self._staging = staging
        self._users = users
        self._probe = probe
        self._probe_timeout_seconds = probe_timeout_seconds
        self._reserve_bytes = reserve_bytes
        self._keeper = SourceKeeper(database=database)

    async def received(self, limit: int) -> list[str]:
        """Uploads that wait for `store_upload`."""
        async with self._database.reading() as connection:
            return await store.uploads_in(connection, "received", limit)

    async def store_upload(self, upload_id: str) -> None:
        """Turn a received upload into a source: hash, move, announce. Every step can be repeated after a crash."""
        async with self._database.reading() as connection:
            upload = await store.upload(connection, upload_id)
        if upload is None or upload.state != "received":
            return
        if not await self._staging.exists(upload_id):
            await self._store_moved(upload)
            return
        path = self._staging.path(upload_id)
        async with self._staging.holding(upload_id) as file:
            await self._staging.run(file.sync)
            sha256, size_bytes = await sha256_of(path)
            await self._keeper.keep(sha256, size_bytes, lambda key: self._move_in(key, upload_id), upload)

    async def _move_in(self, key: str, upload_id: str) -> None:
        if await self._staging.exists(upload_id):
            await self._blobs.put_file(key, self._staging.path(upload_id), move=True, leaving=self._reserve_bytes)

    async def _store_moved(self, upload: Upload) -> None:
        """Complete what a crash interrupted after the bytes had left the staging folder."""
        key = None if upload.sha256 is None else blob_key(upload.sha256)
        if upload.sha256 is None or key is None or await self._blobs.info(key) is None:
            async with self._database.writing() as unit:
                if await store.change_upload(
                    unit.connection, upload.id, only_from=("received",), state="failed", reason=LOST
                ):
                    await unit.announce(UploadFailed(upload.id, LOST))
            return
        await self._keeper.keep(upload.sha256, upload.length, lambda _: asyncio.sleep(0), upload)

    async def unprobed(self, limit: int) -> list[str]:
        """Sources that wait for `probe`."""
        async with self._database.reading() as connection:
            return await store.sources_in(connection, "stored", limit)

    async def probe(self, source_id: str) -> None:
        """Find out whether a stored source can be played, and say so. Interrupted, it is simply done again."""
        source = await self.find(source_id)
        if source.state != "stored":
            return
        report, reason = await self._examine(source)
        async with self._database.writing() as unit:
            if report is not None:
                if await store.change_source(unit.connection, source_id, "ready", only_from=("stored",), report=report):
                    await unit.announce(SourceReady(source_id, source.sha256, source.blob_key, report))
            elif await store.change_source(unit.connection, source_id, "failed", only_from=("stored",), reason=reason):
                await unit.announce(SourceFailed(source_id, reason))

    async def _examine(self, source: Source) -> tuple[SourceReport | None, str]:
        try:
            async with self._blobs.local(source.blob_key) as path:
                return await self._probe(path, timeout_seconds=self._probe_timeout_seconds), ""
        except ProbeFailed as failure:
            return None, failure.reason
        except BlobMissing:
            return None, "The bytes of this file are missing from the server's store; upload it again."

    async def find(self, source_id: str) -> Source:
        """The source. Raises `NotFound`."""
        async with self._database.reading() as connection:
            source = await store.source(connection, source_id)
        if source is None:
            message = "There is no source with this id."
            raise NotFound(message)
        return source

    async def release(self, source_id: str) -> None:
        """Remove the source's bytes unless a video is made of it or may still be."""
        async with self._database.writing() as unit:
            connection = unit.connection
            if await store.is_awaited(connection, source_id, utcnow()):
                return
            uploads = await store.uploads_of(connection, source_id)
            if await self._users.uses_source(unit, source_id, uploads):
                return
            removing = await store.change_source(
                connection, source_id, "removing", only_from=("stored", "ready", "failed")
            )
        if removing:
            await self._remove(source_id)

    async def _remove(self, source_id: str) -> None:
        source = await self.find(source_id)
        await self._blobs.delete(source.blob_key)
        async with self._database.writing() as unit:
            if await store.change_source(unit.connection, source_id, "removed", only_from=("removing",)):
                await unit.announce(SourceRemoved(source_id))

    async def resume(self) -> None:
        """After a start: complete the removals that were interrupted."""
        async with self._database.reading() as connection:
            removing = await store.sources_in(connection, "removing", 100_000)
        for source_id in removing:
            await self._remove(source_id)
