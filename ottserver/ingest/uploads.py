"""Uploads: begun, continued wherever they stopped, finished, given up."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from ottserver.clock import utcnow
from ottserver.errors import Conflict, Gone, NoRoom, NotFound, TooLarge
from ottserver.events import UploadFailed
from ottserver.ids import new_id
from ottserver.ingest import store, tus
from ottserver.ingest.models import BodyInterrupted, ChecksumMismatch, Upload
from ottserver.units import size

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from ottserver.backends.blobs.space import Space
    from ottserver.backends.database import Database
    from ottserver.ingest.models import Checksum
    from ottserver.ingest.staging import StagedFile, Staging

UNFINISHED_LIMIT = 100
"""Uploads that one account may have begun and not finished."""
EMPTY = "The file is empty."
EXPIRED = "This upload was not finished in time; begin a new one."
UNUSED = "Nothing was made of this upload in time; begin a new one."
CANCELLED = "This upload was cancelled; begin a new one."
LOST = "The bytes of this upload are gone; begin a new one."
GONE_KEPT = timedelta(days=30)
"""How long it is remembered that an upload is gone, so that its client is told so."""
STRAY_SECONDS = 3600.0
"""Files of the staging folder that no upload knows are removed after this time."""
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Arrived:
    """How far an upload has come."""

    upload: Upload
    offset: int
    """Bytes that have arrived."""

    @property
    def expires_at(self) -> datetime | None:
        """Until when it can be continued; nothing once all bytes are there."""
        return self.upload.expires_at if self.upload.state == "receiving" else None


class Uploads:
    """What can be done with uploads. The size of the staged file is the truth about what has arrived."""

    def __init__(
        self,
        *,
        database: Database,
        staging: Staging,
        max_bytes: int,
        lifetime: timedelta,
        received: Callable[[], None],
        space: Space,
    ) -> None:
        """`lifetime` passes from an upload's last sign of life to its end; `received` is told of each finished one."""
        self._database = database
        self._staging = staging
        self.max_bytes = max_bytes
        self._lifetime = lifetime
        self._received = received
        self._space = space
        self._promising = asyncio.Lock()

    async def create(self, account_id: str, length: int, metadata: str) -> Arrived:
        """Begin an upload of `length` bytes. Raises `TooLarge`, `NoRoom`, `Malformed` and `Conflict`."""
        if length > self.max_bytes:
            most, this = size(self.max_bytes), size(length)
            if most == this:  # by a hair
                most, this = f"{self.max_bytes} bytes", f"{length} bytes"
            message = f"At most {most} can be uploaded as one file; this one has {this}."
            raise TooLarge(message)
        upload = Upload(
            id=new_id(),
            account_id=account_id,
            length=length,
            metadata=metadata,
            filename=tus.filename(tus.metadata(metadata)),
            state="receiving" if length else "failed",
            reason=None if length else EMPTY,
            sha256=None,
            source_id=None,
            claimed=False,
            expires_at=utcnow() + self._lifetime,
        )
        # One at a time: each sees what the one before it has been promised.
        async with self._promising:
            await self._space.check(length, promised=await self._promised())
            if length:
                # The file comes first: a row without a file would be an upload that has lost its bytes.
                await self._staging.create(upload.id)
            try:
                async with self._database.writing() as unit:
                    _check_count(await store.unfinished_count(unit.connection, account_id))
                    await store.add_upload(unit.connection, upload)
            except BaseException:
                await self._staging.remove(upload.id)
                raise
        return Arrived(upload, 0)

    async def _promised(self) -> int:
        """Bytes that unfinished uploads have still to bring."""
        async with self._database.reading() as connection:
            lengths = await store.promised(connection, utcnow())
        return max(0, sum(lengths.values()) - await self._staging.present(lengths))

    async def find(self, upload_id: str) -> Upload:
        """The upload. Raises `NotFound`, and `Gone` when it has ended without becoming a source."""
        async with self._database.reading() as connection:
            upload = await store.upload(connection, upload_id)
        if upload is None:
            message = "There is no upload with this id."
            raise NotFound(message)
        if upload.state == "gone":
            raise Gone(upload.reason or CANCELLED)
        if upload.state == "receiving" and upload.expires_at <= utcnow():
            raise Gone(EXPIRED)
        return upload

    async def arrived(self, upload_id: str) -> Arrived:
        """How far the upload has come. Raises `NotFound` and `Gone`."""
        upload = await self.find(upload_id)
        if upload.state != "receiving":
            return Arrived(upload, upload.length)
        offset = await self._staging.offset(upload_id)
        if offset is None:
            return await self._moved_on(upload)
        if offset == upload.length:
            # The process died between writing the last byte and saying so.
            return await self._finish(upload)
        return Arrived(upload, offset)

    async def _moved_on(self, upload: Upload) -> Arrived:
        again = await self.find(upload.id)
        if again.state != "receiving":
            return Arrived(again, again.length)
        raise Gone(LOST)

    async def append(
        self,
        upload_id: str,
        offset: int,
        body: AsyncIterator[bytes],
        *,
        size: int | None = None,
        checksum: Checksum | None = None,
    ) -> Arrived:
        """Add a request's bytes at `offset`; `size` is what the request says of its body.

        Of a body that breaks off (`BodyInterrupted`) what has arrived is kept; with a checksum, all of it counts or
        nothing. Raises `NotFound`, `Gone`, `Conflict` for another offset, `TooLarge`, `ChecksumMismatch` and `NoRoom`.
        """
        upload = await self.find(upload_id)
        if upload.state != "receiving":
            _check_offset(offset, upload.length)
            _check_fits(upload, offset, size or 0)
            return Arrived(upload, upload.length)
        interrupted: BodyInterrupted | None = None
        async with self._staging.holding(upload_id) as file:
            _check_offset(offset, file.offset)
            _check_fits(upload, offset, size or 0)
            upload = await self._prolonged(upload)
            try:
                await self._take(upload, file, body, checksum)
            except BodyInterrupted as error:
                interrupted = error
            present = file.offset
        # Only now that the file is unlocked can the upload be stored.
        arrived = await self._finish(upload) if present == upload.length else Arrived(upload, present)
        if interrupted is not None:
            raise interrupted
        return arrived

    async def _take(
        self, upload: Upload, file: StagedFile, body: AsyncIterator[bytes], checksum: Checksum | None
    ) -> None:
        began = file.offset
        digest = tus.hasher(checksum)
        if checksum is not None:
            await self._staging.run(file.mark)
        try:
            async for block in body:
                _check_fits(upload, file.offset, len(block))
                await self._staging.run(file.write, block, digest)
                if utcnow() > upload.expires_at - self._lifetime / 2:
                    upload = await self._prolonged(upload)
            if checksum is not None and digest is not None:
                _check_digest(checksum, digest.digest())
                await self._staging.run(file.accept)
        except (TooLarge, ChecksumMismatch):
            await self._staging.run(file.roll_back, began)
            raise
        except (BodyInterrupted, NoRoom):
            if checksum is not None:
                await self._staging.run(file.roll_back, began)
            raise

    async def _prolonged(self, upload: Upload) -> Upload:
        """The upload with all its time ahead again: its client is alive. Raises `Gone` when it has ended meanwhile."""
        now = utcnow()
        async with self._database.writing() as unit:
            if not await store.prolong_upload(unit.connection, upload.id, now, now + self._lifetime):
                raise Gone(CANCELLED)
        return dataclasses.replace(upload, expires_at=now + self._lifetime)

    async def _finish(self, upload: Upload) -> Arrived:
        async with self._database.writing() as unit:
            finished = await store.change_upload(unit.connection, upload.id, only_from=("receiving",), state="received")
        if not finished:
            # Another request saw the last byte first, or the upload has been ended.
            return Arrived(await self.find(upload.id), upload.length)
        self._received()
        return Arrived(dataclasses.replace(upload, state="received"), upload.length)

    async def resume(self) -> None:
        """After a start: find the uploads whose last byte was written but not reported."""
        async with self._database.reading() as connection:
            waiting = await store.uploads_in(connection, "receiving", 100_000)
        for upload_id in waiting:
            try:
                await self.arrived(upload_id)
            except (NotFound, Gone):
                continue

    async def terminate(self, upload_id: str) -> str | None:
        """End the upload and free what it takes; the source that it may leave without a user.

        A video that waits for its bytes fails. Raises `NotFound`, `Gone`, and `Conflict` when a video is made of it.
        """
        upload = await self.find(upload_id)
        return await self._end(upload, CANCELLED, _check_can_end)

    async def sweep(self) -> list[str]:
        """End what has expired and clean the staging folder; the sources that may have lost their last user."""
        async with self._database.reading() as connection:
            expired = await store.expired_uploads(connection, utcnow(), _BATCH)
        released = []
        for upload in expired:
            with contextlib.suppress(Conflict, Gone):
                reason = EXPIRED if upload.state == "receiving" else UNUSED
                released.append(await self._end(upload, reason, _check_has_expired))
        async with self._database.writing() as unit:
            await store.forget_gone_uploads(unit.connection, utcnow() - GONE_KEPT)
        await self._remove_strays()
        return [source_id for source_id in released if source_id is not None]

    async def _end(self, upload: Upload, reason: str, check: Callable[[Upload], None]) -> str | None:
        """End the upload if `check` still allows it; the source it had become."""
        async with self._database.writing() as unit:
            now = await store.upload(unit.connection, upload.id)
            if now is None or now.state == "gone":
                raise Gone(CANCELLED)
            check(now)
            await store.change_upload(
                unit.connection, now.id, only_from=(now.state,), state="gone", reason=reason, source_id=None
            )
            if now.state == "receiving":
                await unit.announce(UploadFailed(now.id, reason))
        await self._staging.remove(upload.id)
        return now.source_id

    async def _remove_strays(self) -> None:
        untouched = (await self._staging.untouched(STRAY_SECONDS))[:_BATCH]
        if not untouched:
            return
        async with self._database.reading() as connection:
            known = await store.staged(connection, untouched)
        for upload_id in untouched:
            if upload_id not in known:
                await self._staging.remove(upload_id)


def _check_can_end(upload: Upload) -> None:
    if upload.state == "received":
        message = "All bytes of this upload have arrived and are being stored; try again shortly."
        raise Conflict(message)
    if upload.claimed and upload.state != "receiving":
        message = "A video is made of this upload; remove the video instead."
        raise Conflict(message)


def _check_has_expired(upload: Upload) -> None:
    if upload.expires_at > utcnow() or (upload.claimed and upload.state != "receiving"):
        message = "It has been given more time meanwhile."
        raise Conflict(message)


def _check_count(unfinished: int) -> None:
    if unfinished >= UNFINISHED_LIMIT:
        message = f"Finish or cancel one of your {UNFINISHED_LIMIT} unfinished uploads first."
        raise Conflict(message)


def _check_digest(checksum: Checksum, digest: bytes) -> None:
    if digest != checksum.digest:
        message = f"The {checksum.algorithm} of the bytes that arrived is another one; send them again."
        raise ChecksumMismatch(message)


def _check_offset(offset: int, present: int) -> None:
    if offset != present:
        message = f"The upload has {present} bytes; the request would continue at {offset}."
        raise Conflict(message, extra={"offset": present})


def _check_fits(upload: Upload, offset: int, size: int) -> None:
    if offset + size > upload.length:
        message = f"The upload has {upload.length} bytes; the request would write up to byte {offset + size}."
        raise TooLarge(message)
