"""Transcode's use cases: plan a source, hand out its segments, fill the rest, and forget it.

A segment is a pure function of source, rendition and index, so any process may make any of them at any time; the blob
store says which exist.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ottserver.errors import Busy, NotFound
from ottserver.events import ExtrasReady
from ottserver.media import Extras, Outlook, init_key, segment_key, sidecar_key
from ottserver.transcode import store
from ottserver.transcode.checker import Checker
from ottserver.transcode.demand import Demand
from ottserver.transcode.forms import PLAN, PRESENTATION, extras_of
from ottserver.transcode.outcomes import Outcomes
from ottserver.transcode.planning import Planner
from ottserver.transcode.pool import JobFailed, Pool
from ottserver.transcode.scheduler import Scheduler
from ottserver.transcode.sidecars import Sidecars
from ottserver.transcode.studio import Studio
from ottserver.transcode.telling import Telling
from ottserver.transcode.title import Title

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ottserver.backends.blobs import Blobs
    from ottserver.backends.blobs.space import Space
    from ottserver.backends.database import Database
    from ottserver.events import SourceReady, SourceRemoved, SubtitlesChanged
    from ottserver.media import Presentation, Rendition
    from ottserver.transcode.models import EncoderSettings
    from ottserver.transcode.title import Progress

_log = logging.getLogger(__name__)
_KEPT_TITLES = 512
_LEAST_PRIORITY = 19
_MAX_THREADS = 8


class TranscodeService:
    """The transcode room. Enter `running()` before anything else is asked of it."""

    def __init__(
        self, database: Database, blobs: Blobs, settings: EncoderSettings, progress: Progress, space: Space
    ) -> None:
        """Keep rows in `database`, segments in `blobs` as far as there is `space`; tell `progress` of each title."""
        self._database = database
        self._settings = settings
        self._progress = progress
        threads = min(os.cpu_count() or 1, _MAX_THREADS)
        self.pool = Pool(
            lanes={
                "urgent": (settings.urgent_workers, 0, threads),
                "background": (settings.background_workers, _LEAST_PRIORITY, 1),
            },
            timeout_seconds=settings.job_timeout_seconds,
        )
        self._studio = Studio(blobs, self.pool, space)
        self._planner = Planner(database, self._studio, settings)
        self._demand = Demand(self._studio, limit=settings.queue_limit, left=self._left)
        self._scheduler = Scheduler(
            self._studio,
            Outcomes(database),
            self._demand.quiet,
            Checker(blobs, self.pool),
            workers=settings.background_workers,
        )
        self._telling = Telling(self._scheduler, self._studio, progress)
        self.sidecars = Sidecars(database, blobs)
        self._titles: dict[str, Title] = {}
        self._loading = asyncio.Lock()
        self.fills = False
        """Whether it works ahead of time."""

    @asynccontextmanager
    async def running(self, *, fill: bool = True) -> AsyncIterator[None]:
        """Work while the context lasts; with `fill`, also ahead of time, going on with what was left unfinished."""
        async with AsyncExitStack() as stack:
            await self._planner.choose_encoder()
            await stack.enter_async_context(self.pool.running(devices=self._planner.devices))
            await stack.enter_async_context(self._demand.running())
            self.fills = fill
            if fill:
                await stack.enter_async_context(self._scheduler.running())
                await stack.enter_async_context(self._telling.running())
                for fact in await self._planner.unfit():
                    await self.on_source_ready(fact)
                await self._resume()
            try:
                yield
            finally:
                for title in self._titles.values():
                    title.hush()

    async def _resume(self) -> None:
        async with self._database.reading() as connection:
            unfinished = await store.unfinished(connection)
        for identity in unfinished:
            title = await self._title(identity)
            if title is not None and (title.errands or title.later or not title.checked):
                self._scheduler.add(title)

    # Facts

    async def on_source_ready(self, fact: SourceReady) -> None:
        """Plan the source and announce its presentation; nothing happens when that was done before."""
        planned = await self._planner.plan(fact)
        if planned is None:
            return
        if planned.replaced:
            await self._forget(planned.replaced)
        title = await self._title(planned.identity)
        if title is not None:
            self._scheduler.add(title)

    async def on_source_removed(self, fact: SourceRemoved) -> None:
        """Stop all work on the source and remove what was made of it."""
        async with self._database.reading() as connection:
            stored = await store.of_source(connection, fact.source_id)
        if stored is not None:
            await self._forget(stored.id, leaving=fact.source_id)
        async with self._database.writing() as work:
            await store.remove(work.connection, fact.source_id)
            await store.remove_sidecars(work.connection, fact.source_id)
        await self._studio.erase_sidecars(fact.source_id)

    async def on_subtitles_changed(self, fact: SubtitlesChanged) -> None:
        """Take up what was added to, or taken from, the source as a file of its own."""
        async with self._database.writing() as work:
            stored = await store.of_source(work.connection, fact.source_id)
            if stored is None or stored.state == "failed":
                return
            added = await store.sidecars_of(work.connection, fact.source_id)
            extras = replace(extras_of(stored.extras), added=added)
            await work.announce(ExtrasReady(fact.source_id, stored.id, extras))
        title = self._titles.get(stored.id)
        if title is not None:
            title.extras = replace(title.extras, added=added)

    async def _forget(self, identity: str, leaving: str | None = None) -> None:
        """Erase a presentation unless another source than the one that is leaving has the same."""
        async with self._database.reading() as connection:
            others = [row for row in await store.of_presentation(connection, identity) if row.source_id != leaving]
        if others:
            return
        title = self._titles.pop(identity, None)
        if title is not None:
            title.gone = True
            title.hush()
            await self._scheduler.drop(title)
            await self._demand.drop(title)
        await self._studio.erase(identity)

    # Players

    async def presentation(self, presentation_id: str) -> Presentation | None:
        """The presentation, or nothing when there is none of that id."""
        title = await self._title(presentation_id)
        return None if title is None else title.presentation

    async def extras(self, presentation_id: str) -> Extras:
        """What there is beside the segments by now; nothing for an unknown presentation."""
        title = await self._title(presentation_id)
        return Extras() if title is None else title.extras

    async def extra(self, presentation_id: str, name: str) -> bytes:
        """The bytes of an extra, such as "s0.vtt" or "storyboard/0.jpg". Raises `NotFound`."""
        data = await self._studio.stored_extra(presentation_id, name)
        if not data:
            message = "There is no such part of this film."
            raise NotFound(message)
        return data

    async def subtitle(self, presentation_id: str, track: str) -> bytes:
        """The WebVTT file of a subtitle track. Raises `NotFound`."""
        title = await self._title(presentation_id)
        if title is not None and any(added.name == track for added in title.extras.added):
            data = await self._studio.stored(sidecar_key(title.presentation.source_id, track))
        else:
            data = await self._studio.stored_extra(presentation_id, f"{track}.vtt")
        if not data:
            message = "There are no such subtitles in this film."
            raise NotFound(message)
        return data

    async def readiness(self, presentation_id: str) -> dict[str, tuple[int, int]]:
        """Segments that exist and segments in all, by rendition; empty for an unknown presentation."""
        title = await self._title(presentation_id)
        if title is None:
            return {}
        await self._studio.list(title)
        return title.map.counts()

    async def prompt(self, presentation_id: str, seconds: float) -> frozenset[str]:
        """Names of the video rungs that play at that second of the film without any encoding."""
        title = await self._title(presentation_id)
        if title is None:
            return frozenset()
        rungs = title.presentation.video
        there = await asyncio.gather(*(self._studio.has(title, rung.name, rung.index_at(seconds)) for rung in rungs))
        return frozenset(rung.name for rung, has in zip(rungs, there, strict=True) if has or rung.copied)

    async def outlook(self, presentation_id: str) -> Outlook:
        """How long the film has still to be encoded, why it waits, and what could not be made of it.

        With an id of nothing it is about a film that has not been planned yet.
        """
        title = await self._title(presentation_id) if presentation_id else None
        if title is None:
            return Outlook(waits_for=self._telling.obstacle)
        if not self.fills and not title.map.complete:
            return Outlook(made=title.made, waits_for="Another process encodes ahead of time.")
        return self._scheduler.outlook(title)

    async def init(self, presentation_id: str, rendition: str) -> bytes:
        """The init segment of a rendition, made again when it is lost or damaged. Raises `NotFound`, or `Busy`."""
        title, chosen = await self._rendition(presentation_id, rendition)
        key = init_key(title.id, chosen.name)
        if data := await self._studio.stored_init(title, chosen.name):
            return data
        _log.warning("%s is lost or damaged: the init segments are made again", key)
        try:
            copies = any(other.copied for other in title.presentation.renditions)
            items = await self._studio.inits(title.plan, title.source_key if copies else "")
        except JobFailed as failure:
            message = f"The init segment of {chosen.name} could not be made: {failure}"
            raise Busy(message) from failure
        await self._studio.publish_inits(title.id, items)
        return items[chosen.name].data

    async def segment(self, presentation_id: str, rendition: str, index: int, *, viewer: str = "") -> bytes:
        """A media segment, made now when it is missing; the bytes are what the blob store holds, or those of a copy.

        `viewer` names the playback session that asks: what it asked for elsewhere in the film is given up.

        Raises `NotFound` for unknown names and indices, `Busy` when the queue is full or the segment could not be made.
        """
        title, chosen = await self._rendition(presentation_id, rendition)
        if not 0 <= index < chosen.segments:
            message = f"There is no segment {index} in {chosen.name}: it has {chosen.segments}, counted from 0."
            raise NotFound(message)
        if chosen.copied:
            return await self._copied(title, chosen, index)
        if data := await self._studio.segment(segment_key(title.id, chosen.name, index)):
            self._demand.watched(title, chosen.name, index)
            return data
        if reason := title.refusal(chosen.name, index):
            message = f"Segment {index} of {chosen.name} could not be made: {reason}; choose another quality."
            raise Busy(message, retry_after=30)
        try:
            return await self._demand.segment(title, chosen.name, index, viewer)
        except Busy as busy:
            if isinstance(busy.__cause__, JobFailed):
                title.spare(chosen.name, index, str(busy.__cause__))
            raise

    async def made(self, presentation_id: str, rendition: str, index: int) -> bytes:
        """A media segment out of the blob store; nothing where it is missing, or would be cut from the source."""
        title, chosen = await self._rendition(presentation_id, rendition)
        if chosen.copied or not 0 <= index < chosen.segments:
            return b""
        data = await self._studio.segment(segment_key(title.id, chosen.name, index))
        if data:
            self._demand.watched(title, chosen.name, index)
        return data

    async def _copied(self, title: Title, rendition: Rendition, index: int) -> bytes:
        """Cut from the source at every request: that takes less than reading a blob from elsewhere."""
        if rendition.group == "ladder":
            title.look(index)
        self._demand.give_way()
        try:
            return await self._studio.slice(title, rendition.name, index)
        except JobFailed as failure:
            message = f"Segment {index} of {rendition.name} could not be cut from the source: {failure}"
            raise Busy(message) from failure

    def _left(self, title: Title) -> None:
        """What a run for players has not made, or the announcement that nothing is missing, is the background's."""
        if title.listed and self._titles.get(title.id) is title:
            self._scheduler.add(title)

    async def _rendition(self, presentation_id: str, rendition: str) -> tuple[Title, Rendition]:
        title = await self._title(presentation_id)
        chosen = None if title is None else title.presentation.rendition(rendition)
        if title is None or chosen is None:
            message = "There is no such rendition."
            raise NotFound(message)
        return title, chosen

    async def _title(self, presentation_id: str) -> Title | None:
        """The title in hand, loaded from its row when it is not yet."""
        title = self._titles.get(presentation_id)
        if title is not None:
            return title
        async with self._loading:
            if presentation_id in self._titles:
                return self._titles[presentation_id]
            async with self._database.reading() as connection:
                rows = await store.of_presentation(connection, presentation_id)
                if not rows:
                    return None
                row = rows[0]
                added = await store.sidecars_of(connection, row.source_id)
            plan = await asyncio.to_thread(PLAN.validate_json, row.plan)
            title = Title(
                await asyncio.to_thread(PRESENTATION.validate_json, row.presentation),
                plan,
                row,
                progress=self._progress,
            )
            title.extras = replace(title.extras, added=added)
            self._make_room()
            self._titles[presentation_id] = title
            return title

    def _make_room(self) -> None:
        """Forget titles that nobody works on when too many are in hand; their rows have them."""
        if len(self._titles) >= _KEPT_TITLES:
            for identity, title in list(self._titles.items()):
                if not title.work and not self._scheduler.has(title):
                    del self._titles[identity]
                    title.hush()
                    return
