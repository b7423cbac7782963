"""How videos follow their bytes: what ingest and transcode announce becomes status, summary and pictures.

A video can be bound to a source at any time, before or after the facts about the source were read. So binding takes up
the source's present state once, and from then on the facts keep it up; every step may come twice.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from ottserver.catalog import store
from ottserver.catalog.models import Encoding, with_extras, with_presentation, with_report
from ottserver.clock import utcnow
from ottserver.errors import NotFound
from ottserver.events import VideoPlayable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ottserver import events
    from ottserver.backends.database import Database, UnitOfWork
    from ottserver.catalog.models import Video
    from ottserver.catalog.updates import Updates
    from ottserver.media import Extras, Presentation, SourceReport

REMOVED = "The film's bytes have been removed from the server; upload the file again."


class SourceState(Protocol):
    """What ingest says of a source."""

    @property
    def state(self) -> str:
        """`ready` and `failed` are those that matter here; `removed` and `removing` mean that the bytes are gone."""
        ...

    @property
    def reason(self) -> str | None:
        """Why it failed."""
        ...

    @property
    def report(self) -> SourceReport | None:
        """What the probe found."""
        ...

    @property
    def size_bytes(self) -> int:
        """Its size."""
        ...


class SourceStates(Protocol):
    """The present state of sources: ingest and transcode together."""

    async def source(self, source_id: str) -> SourceState:
        """What ingest knows. Raises `NotFound`."""
        ...

    async def encoding(self, source_id: str) -> Encoding:
        """What transcode knows; an empty `Encoding` when it has not begun."""
        ...


class Following:
    """Keeps videos in step with their sources."""

    def __init__(self, *, database: Database, states: SourceStates, updates: Updates) -> None:
        """`states` are asked when a video is bound to a source; `updates` are told of every change."""
        self._database = database
        self._states = states
        self._updates = updates
        # One at a time, so that a state that was asked for is never older than the facts already applied.
        self._turn = asyncio.Lock()

    async def take_up(self, source_id: str) -> None:
        """Bring the source's videos to the state that it has now."""
        async with self._turn:
            try:
                source = await self._states.source(source_id)
            except NotFound:
                return
            encoding = await self._states.encoding(source_id)

            async def bring(unit: UnitOfWork, video: Video) -> bool:
                changed = await _size(unit, video, source.size_bytes)
                if source.state in ("removing", "removed"):
                    return await _failed(unit, video, REMOVED) or changed
                if source.state == "failed":
                    return await _failed(unit, video, source.reason or "") or changed
                if source.report is not None:
                    changed |= await _probed(unit, video, source.report)
                return await _encoded(unit, video.id, encoding) or changed

            await self._each(source_id, bring)

    async def _each(self, source_id: str, change: Callable[[UnitOfWork, Video], Awaitable[bool]]) -> None:
        """Let `change` act on every video of the source, and tell of those it changed."""
        async with self._database.writing() as unit:
            videos = await store.of_source(unit.connection, source_id)
            changed = [video.id for video in videos if await change(unit, video)]
        for video_id in changed:
            self._updates.mark(video_id)

    async def on_upload_stored(self, fact: events.UploadStored) -> None:
        """The bytes that a video waited for are a source now."""
        async with self._database.writing() as unit:
            video = await store.of_upload(unit.connection, fact.upload_id)
            if video is not None and video.source_id is None:
                await store.change(unit.connection, video.id, source_id=fact.source_id)
        if video is not None:
            await self.take_up(fact.source_id)

    async def on_upload_failed(self, fact: events.UploadFailed) -> None:
        """The bytes that a video waited for will not come."""
        async with self._database.writing() as unit:
            video = await store.of_upload(unit.connection, fact.upload_id)
            if video is None or video.source_id is not None or not await _failed(unit, video, fact.reason):
                return
        self._updates.mark(video.id)

    async def on_source_ready(self, fact: events.SourceReady) -> None:
        """The probe is done."""
        async with self._turn:
            await self._each(fact.source_id, lambda unit, video: _probed(unit, video, fact.report))

    async def on_source_failed(self, fact: events.SourceFailed) -> None:
        """The source cannot be played."""
        async with self._turn:
            await self._each(fact.source_id, lambda unit, video: _failed(unit, video, fact.reason))

    async def on_source_removed(self, fact: events.SourceRemoved) -> None:
        """The bytes are gone; a video that was made of them in that very moment must say so."""
        await self.take_up(fact.source_id)

    async def on_playable(self, fact: events.PresentationPlayable) -> None:
        """Manifests are complete: publish."""
        async with self._turn:
            await self._each(fact.source_id, lambda unit, video: _playable(unit, video, fact.presentation))

    async def on_complete(self, fact: events.PresentationComplete) -> None:
        """Every segment is stored."""
        async with self._turn:
            await self._each(fact.source_id, lambda unit, video: _complete(unit, video, fact.presentation_id))

    async def on_presentation_failed(self, fact: events.PresentationFailed) -> None:
        """The source cannot be encoded."""
        async with self._turn:
            await self._each(fact.source_id, lambda unit, video: _failed(unit, video, fact.reason))

    async def on_artwork(self, fact: events.ArtworkReady) -> None:
        """Pictures of the film are there."""
        async with self._turn:
            await self._each(
                fact.source_id,
                lambda unit, video: _pictured(unit, video, fact.poster_key, fact.backdrop_key, fact.pictures),
            )

    async def on_extras(self, fact: events.ExtrasReady) -> None:
        """Subtitles were read, brought or taken away."""
        async with self._turn:
            await self._each(fact.source_id, lambda unit, video: _extended(unit, video, fact.extras))


async def _size(unit: UnitOfWork, video: Video, size_bytes: int) -> bool:
    if video.size_bytes == size_bytes:
        return False
    await store.change(unit.connection, video.id, size_bytes=size_bytes)
    return True


async def _probed(unit: UnitOfWork, video: Video, report: SourceReport) -> bool:
    summary = with_report(video.summary, report)
    if summary == video.summary and video.duration_seconds is not None:
        return False
    await store.change(
        unit.connection,
        video.id,
        summary=summary,
        duration_seconds=report.duration_seconds,
        size_bytes=report.size_bytes,
    )
    return True


async def _failed(unit: UnitOfWork, video: Video, reason: str) -> bool:
    if video.status == "failed" and video.reason == reason:
        return False
    await store.change(unit.connection, video.id, status="failed", reason=reason)
    return True


async def _playable(unit: UnitOfWork, video: Video, presentation: Presentation) -> bool:
    if video.presentation_id == presentation.id and video.watchable:
        return False
    await store.change(
        unit.connection,
        video.id,
        summary=with_presentation(video.summary, presentation),
        status="playable",
        reason=None,
        presentation_id=presentation.id,
        duration_seconds=presentation.duration_seconds,
        published_at=video.published_at or utcnow(),
    )
    await unit.announce(VideoPlayable(video.id, presentation.id))
    return True


async def _complete(unit: UnitOfWork, video: Video, presentation_id: str) -> bool:
    if video.status != "playable" or video.presentation_id != presentation_id:
        return False
    await store.change(unit.connection, video.id, status="complete")
    return True


async def _pictured(unit: UnitOfWork, video: Video, poster_key: str, backdrop_key: str, pictures: int) -> bool:
    if (video.poster_key, video.backdrop_key, video.pictures) == (poster_key, backdrop_key, pictures):
        return False
    await store.change(unit.connection, video.id, poster_key=poster_key, backdrop_key=backdrop_key, pictures=pictures)
    return True


async def _extended(unit: UnitOfWork, video: Video, extras: Extras) -> bool:
    summary = with_extras(video.summary, extras)
    if summary == video.summary:
        return False
    await store.change(unit.connection, video.id, summary=summary)
    return True


async def _encoded(unit: UnitOfWork, video_id: str, encoding: Encoding) -> bool:
    changed = False
    steps: list[Callable[[Video], Awaitable[bool]]] = []
    presentation = encoding.presentation
    if presentation is not None and encoding.reason is None:
        steps.append(lambda video: _playable(unit, video, presentation))
        if encoding.complete:
            steps.append(lambda video: _complete(unit, video, presentation.id))
    reason, poster, backdrop = encoding.reason, encoding.poster_key, encoding.backdrop_key
    if reason is not None:
        steps.append(lambda video: _failed(unit, video, reason))
    if poster is not None and backdrop is not None:
        artwork = None if encoding.extras is None else encoding.extras.artwork
        pictures = 0 if artwork is None else len(artwork.seconds)
        steps.append(lambda video: _pictured(unit, video, poster, backdrop, pictures))
    extras = encoding.extras
    if extras is not None:
        steps.append(lambda video: _extended(unit, video, extras))
    for step in steps:
        video = await store.find(unit.connection, video_id)
        changed |= video is not None and await step(video)
    return changed
