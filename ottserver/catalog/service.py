"""What administrators do with videos: add, describe, replace, remove, and watch them become playable."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from ottserver import events
from ottserver.catalog import store
from ottserver.catalog.following import Following, SourceState, SourceStates
from ottserver.catalog.models import Details, Summary, Video
from ottserver.catalog.pictures import PLACES, Pictures
from ottserver.catalog.updates import Updates
from ottserver.clock import utcnow
from ottserver.errors import Busy, Conflict, NotFound
from ottserver.ids import new_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ottserver.backends.blobs import Blobs
    from ottserver.backends.bus import Bus
    from ottserver.backends.database import Database, UnitOfWork
    from ottserver.catalog.models import Status
    from ottserver.live import LiveFeed

__all__ = ["CatalogService", "SourceStates", "UploadState", "Uploads", "subscribe"]


class UploadState(Protocol):
    """What ingest says of an upload."""

    @property
    def state(self) -> str:
        """`stored` when its bytes are a source, `failed` when they never will be; others when they are on their way."""
        ...

    @property
    def source_id(self) -> str | None:
        """The source that it became."""
        ...

    @property
    def size(self) -> int:
        """Bytes it has, or will have."""
        ...

    @property
    def reason(self) -> str | None:
        """Why it failed."""
        ...


class Uploads(Protocol):
    """What the catalog needs of ingest, inside its own transactions: which bytes are whose must be one truth."""

    async def claim_upload(self, unit: UnitOfWork, upload_id: str) -> UploadState:
        """Make a video of the upload. Raises `NotFound`."""
        ...

    async def release_upload(self, unit: UnitOfWork, upload_id: str) -> None:
        """No video is made of the upload any more."""
        ...

    async def take_source(self, unit: UnitOfWork, source_id: str) -> SourceState:
        """Make a video of the source. Raises `NotFound`, and `Conflict` when its bytes are gone."""
        ...


class CatalogService:
    """The room's front for administrators; `ottserver.catalog.browsing` is the one for viewers."""

    def __init__(
        self, *, database: Database, uploads: Uploads, states: SourceStates, live: LiveFeed, blobs: Blobs
    ) -> None:
        """`live` carries transcode's progress (topic "transcode"); `blobs` has the pictures.

        A message with a `source_id` is about the videos of that source, one without about all that are still probed.
        """
        self._database = database
        self._uploads = uploads
        self._live = live
        self._pictures = Pictures(blobs)
        self.updates = Updates()
        self.following = Following(database=database, states=states, updates=self.updates)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Pass live progress on to the event streams while the context lasts."""
        task = asyncio.create_task(self._pass_on(), name="catalog-live")
        try:
            yield
        finally:
            self.end_streams()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def end_streams(self) -> None:
        """Let every event stream end, so that a server that shuts down need not wait for their clients."""
        self.updates.close()

    async def _pass_on(self) -> None:
        with self._live.listening() as queue:
            while True:
                source_ids = {_source_id((await queue.get()).payload)}
                with contextlib.suppress(asyncio.QueueEmpty):
                    while True:
                        source_ids.add(_source_id(queue.get_nowait().payload))
                # While the database is away nothing is told; what comes afterwards tells it too.
                with contextlib.suppress(Busy):
                    for video_id in await self._about(source_ids):
                        self.updates.mark(video_id)

    async def _about(self, source_ids: set[str]) -> list[str]:
        """Ids of the videos that messages about these sources concern."""
        async with self._database.reading() as connection:
            found = await store.probing(connection) if "" in source_ids else []
            for source_id in source_ids - {""}:
                found += [video.id for video in await store.of_source(connection, source_id)]
        return found

    async def add_upload(self, upload_id: str, details: Details) -> Video:
        """Put a video into the catalog whose bytes come by this upload, finished or not.

        Raises `NotFound` for an unknown upload, and `Conflict`, naming the video, when one is made of it already.
        """
        video_id = new_id()
        async with self._database.writing() as unit:
            await self._check_unused(unit, upload_id)
            upload = await self._uploads.claim_upload(unit, upload_id)
            source_id = _stored_source(upload)
            video = _new(video_id, details, upload_id=upload_id, source_id=source_id, size_bytes=upload.size)
            if upload.state == "failed":
                video = dataclasses.replace(video, status="failed", reason=upload.reason)
            await store.add(unit.connection, video)
            await unit.announce(events.VideoAdded(video_id, video.source_id or "", details.title))
        if source_id is not None:
            await self.following.take_up(source_id)
        return await self.video(video_id)

    async def add_film(self, source_id: str, details: Details) -> tuple[str, bool]:
        """Put a film that is made of this source into the catalog, once: its video id, and whether it is new.

        Raises `NotFound`, and `Conflict` when the source's bytes are gone: import the file again.
        """
        async with self._database.writing() as unit:
            present = await store.of_source(unit.connection, source_id)
            if present:
                return present[0].id, False
            source = await self._uploads.take_source(unit, source_id)
            video = _new(new_id(), details, source_id=source_id, size_bytes=source.size_bytes)
            await store.add(unit.connection, video)
            await unit.announce(events.VideoAdded(video.id, source_id, details.title))
        await self.following.take_up(source_id)
        return video.id, True

    async def replace_source(self, video_id: str, upload_id: str) -> Video:
        """Let the video be made of another upload's bytes. Raises `NotFound` and `Conflict`."""
        async with self._database.writing() as unit:
            video = await _present(unit, video_id)
            await self._check_unused(unit, upload_id)
            upload = await self._uploads.claim_upload(unit, upload_id)
            if video.upload_id is not None:
                await self._uploads.release_upload(unit, video.upload_id)
            source_id = _stored_source(upload)
            status: Status = "failed" if upload.state == "failed" else "probing"
            await store.change(
                unit.connection,
                video_id,
                summary=Summary(),
                upload_id=upload_id,
                source_id=source_id,
                status=status,
                reason=upload.reason if status == "failed" else None,
                presentation_id=None,
                duration_seconds=None,
                size_bytes=upload.size,
                poster_key=None,
                backdrop_key=None,
                pictures=0,
            )
            await unit.announce(events.VideoReplaced(video_id, video.source_id or ""))
        if source_id is not None:
            await self.following.take_up(source_id)
        return await self.video(video_id)

    async def edit(self, video_id: str, changes: dict[str, Any]) -> Video:
        """Change some of the details, by their names in `Details`, and which pictures are "poster" and "backdrop".

        Raises `NotFound`, and `Invalid` or `Conflict` for pictures that there are none of.
        """
        places = {place: changes[place] for place in PLACES if place in changes}
        changes = {name: value for name, value in changes.items() if name not in PLACES}
        chosen: dict[str, Any] = {}
        if places:
            present = await self.video(video_id)
            for place, number in places.items():
                key = None if number is None else await self._pictures.keep(present, place, number)
                chosen[f"chosen_{place}_key"] = key
        async with self._database.writing() as unit:
            video = await _present(unit, video_id)
            details = dataclasses.replace(video.details, **changes)
            if details != video.details:
                await store.set_details(unit.connection, video_id, details)
            if chosen:
                await store.change(unit.connection, video_id, **chosen)
            if chosen or details != video.details:
                await unit.announce(events.VideoChanged(video_id))
        return await self.video(video_id)

    async def remove(self, video_id: str) -> None:
        """Take the video out of the catalog; its bytes go with the last video made of them. Raises `NotFound`."""
        async with self._database.writing() as unit:
            video = await _present(unit, video_id)
            await store.remove(unit.connection, video_id)
            if video.upload_id is not None:
                await self._uploads.release_upload(unit, video.upload_id)
            await unit.announce(events.VideoRemoved(video_id, video.source_id or ""))

    async def video(self, video_id: str) -> Video:
        """The video in whatever state. Raises `NotFound`."""
        async with self._database.reading() as connection:
            video = await store.find(connection, video_id)
        if video is None:
            raise _no_video()
        return video

    async def videos(self, page: int, limit: int) -> tuple[list[Video], int]:
        """A page of all videos, newest first, and how many there are."""
        async with self._database.reading() as connection:
            return await store.listed(connection, (page - 1) * limit, limit)

    async def _check_unused(self, unit: UnitOfWork, upload_id: str) -> None:
        present = await store.of_upload(unit.connection, upload_id)
        if present is not None:
            message = f"The video {present.details.title!r} is made of this upload already."
            raise Conflict(message, extra={"video_id": present.id})

    async def on_added(self, fact: events.VideoAdded) -> None:
        """Show the new video, and complete what a crash may have left out between adding it and taking up its state."""
        if fact.source_id:
            await self.following.take_up(fact.source_id)
        self.updates.mark(fact.video_id)

    async def on_replaced(self, fact: events.VideoReplaced) -> None:
        """As for a new video."""
        with contextlib.suppress(NotFound):
            video = await self.video(fact.video_id)
            if video.source_id is not None:
                await self.following.take_up(video.source_id)
        self.updates.mark(fact.video_id)

    async def on_removed(self, fact: events.VideoRemoved) -> None:
        """Nothing is left of the pictures that were chosen for it."""
        await self._pictures.forget(fact.video_id)
        self.updates.mark(fact.video_id)

    async def on_changed(self, fact: events.VideoFact) -> None:
        """Show the change."""
        self.updates.mark(fact.video_id)


async def _present(unit: UnitOfWork, video_id: str) -> Video:
    video = await store.find(unit.connection, video_id)
    if video is None:
        raise _no_video()
    return video


def _stored_source(upload: UploadState) -> str | None:
    return upload.source_id if upload.state == "stored" else None


def _no_video() -> NotFound:
    return NotFound("There is no video with this id.")


def _new(
    video_id: str, details: Details, *, upload_id: str | None = None, source_id: str | None, size_bytes: int
) -> Video:
    return Video(
        id=video_id,
        details=details,
        upload_id=upload_id,
        source_id=source_id,
        status="probing",
        reason=None,
        presentation_id=None,
        duration_seconds=None,
        size_bytes=size_bytes,
        summary=Summary(),
        poster_key=None,
        backdrop_key=None,
        created_at=utcnow(),
        published_at=None,
    )


def _source_id(payload: dict[str, object]) -> str:
    source_id = payload.get("source_id")
    return source_id if isinstance(source_id, str) else ""


def subscribe(bus: Bus, service: CatalogService) -> None:
    """Let the catalog follow the facts that concern it."""
    following = service.following
    bus.subscribe("catalog", events.UploadStored, following.on_upload_stored)
    bus.subscribe("catalog", events.UploadFailed, following.on_upload_failed)
    bus.subscribe("catalog", events.SourceReady, following.on_source_ready)
    bus.subscribe("catalog", events.SourceFailed, following.on_source_failed)
    bus.subscribe("catalog", events.SourceRemoved, following.on_source_removed)
    bus.subscribe("catalog", events.PresentationPlayable, following.on_playable)
    bus.subscribe("catalog", events.PresentationComplete, following.on_complete)
    bus.subscribe("catalog", events.PresentationFailed, following.on_presentation_failed)
    bus.subscribe("catalog", events.ArtworkReady, following.on_artwork)
    bus.subscribe("catalog", events.ExtrasReady, following.on_extras)
    bus.subscribe("catalog", events.VideoAdded, service.on_added)
    bus.subscribe("catalog", events.VideoReplaced, service.on_replaced)
    bus.subscribe("catalog", events.VideoChanged, service.on_changed)
    bus.subscribe("catalog", events.VideoRemoved, service.on_removed)
