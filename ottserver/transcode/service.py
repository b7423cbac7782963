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
from typing import TYPE_CHECKING, Any

from ottserver.errors import Busy, NotFound
from ottserver.events import (
    ArtworkReady,
    ExtrasReady,
    PresentationComplete,
    PresentationFailed,
    PresentationPlayable,
    SourceReady,
)
from ottserver.media import Extras, Outlook, artwork_key, init_key, segment_key, sidecar_key
from ottserver.transcode import selftests, store
from ottserver.transcode.checker import Checker
from ottserver.transcode.demand import Demand
from ottserver.transcode.encoders import SOFTWARE
from ottserver.transcode.errands import merged, missed
from ottserver.transcode.models import InitSegment
from ottserver.transcode.plan import EXTRAS, PLAN, PRESENTATION, digest, extras_of, make_plan, present, presentation_id
from ottserver.transcode.pool import JobFailed, Pool
from ottserver.transcode.scheduler import Scheduler
from ottserver.transcode.sidecars import Sidecars
from ottserver.transcode.studio import Studio
from ottserver.transcode.title import Title

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ottserver.backends.blobs import Blobs
    from ottserver.backends.blobs.space import Space
    from ottserver.backends.database import Database, UnitOfWork
    from ottserver.events import SourceRemoved, SubtitlesChanged
    from ottserver.media import Presentation, Rendition
    from ottserver.transcode.errands import Errand
    from ottserver.transcode.models import EncoderSettings, EncodingPlan
    from ottserver.transcode.store import Stored
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
        self._demand = Demand(self._studio, limit=settings.queue_limit, left=self._left)
        self._scheduler = Scheduler(
            self._studio, self, self._demand.quiet, Checker(blobs, self.pool), workers=settings.background_workers
        )
        self.sidecars = Sidecars(database, blobs)
        self._titles: dict[str, Title] = {}
        self._loading = asyncio.Lock()
        self._fills = False
        self._encoder = SOFTWARE
        self._devices = False

    @asynccontextmanager
    async def running(self, *, fill: bool = True) -> AsyncIterator[None]:
        """Work while the context lasts; with `fill`, also ahead of time, going on with what was left unfinished."""
        async with AsyncExitStack() as stack:
            unfit = await self._choose_encoder()
            await stack.enter_async_context(self.pool.running(devices=self._devices))
            await stack.enter_async_context(self._demand.running())
            self._fills = fill
            if fill:
                await stack.enter_async_context(self._scheduler.running())
                await self._plan_anew(unfit)
                await self._resume()
            try:
                yield
            finally:
                for title in self._titles.values():
                    title.hush()

    async def _choose_encoder(self) -> list[Stored]:
        """Try the encoder that is set, and those that unfinished films were planned with.

        The films whose encoder cannot be used any more.
        """
        choice = await selftests.decide(self._settings.encoder, self._settings.preset)
        self._encoder = choice.encoder
        async with self._database.reading() as connection:
            rows = await store.playable(connection)
        used = [(await asyncio.to_thread(PLAN.validate_json, row.plan)).encoder for row in rows]
        gone = await selftests.gone(set(used), choice, self._settings.preset)
        self._devices = {SOFTWARE} != {choice.encoder, SOFTWARE} | set(used) - gone
        return [row for row, encoder in zip(rows, used, strict=True) if encoder in gone]

    async def _plan_anew(self, rows: list[Stored]) -> None:
        """What an encoder that is gone has begun cannot be finished: no other's segments fit among its own."""
        for row in rows:
            plan = await asyncio.to_thread(PLAN.validate_json, row.plan)
            _log.warning("source %s is planned again, for another encoder than %s", row.source_id, plan.encoder)
            await self._plan(SourceReady(row.source_id, row.sha256, row.source_key, plan.report), copy=True)

    async def _resume(self) -> None:
        async with self._database.reading() as connection:
            unfinished = await store.unfinished(connection)
        for identity in unfinished:
            title = await self._title(identity)
            if title is not None:
                self._scheduler.add(title)

    # Facts

    async def on_source_ready(self, fact: SourceReady) -> None:
        """Plan the source and announce its presentation; nothing happens when that was done before."""
        await self._plan(fact, copy=True)

    async def _plan(self, fact: SourceReady, *, copy: bool) -> None:
        plan = make_plan(fact.report, self._settings, copy=copy, encoder=self._encoder)
        identity = presentation_id(plan, fact.sha256)
        async with self._database.reading() as connection:
            before = await store.of_source(connection, fact.source_id)
        if before is None or before.id != identity or before.state == "failed":
            try:
                stored = await self._planned(plan, identity, fact)
            except JobFailed as failure:
                if copy and plan.copied:
                    _log.warning("source %s cannot be played as it is and is encoded: %s", fact.source_id, failure)
                    await self._plan(fact, copy=False)
                    return
                await self._unplayable(plan, identity, fact, f"The film cannot be encoded: {failure}")
                return
            if before is not None and before.id != identity:
                await self._forget(before.id)
            _log.info("source %s is playable as presentation %s", fact.source_id, stored.id)
        title = await self._title(identity)
        if title is not None:
            self._scheduler.add(title)

    async def _planned(self, plan: EncodingPlan, identity: str, fact: SourceReady) -> Stored:
        text = PLAN.dump_json(plan).decode()
        items = await self._studio.inits(text, fact.blob_key if plan.copied else "")
        await self._studio.publish_inits(identity, items)
        inits = {name: InitSegment(name, item.about["codecs"], item.data) for name, item in items.items()}
        presentation = present(plan, identity=identity, source_id=fact.source_id, inits=inits)
        stored = store.Stored(
            source_id=fact.source_id,
            id=identity,
            source_key=fact.blob_key,
            sha256=fact.sha256,
            plan=text,
            presentation=PRESENTATION.dump_json(presentation).decode(),
            inits={name: digest(init.data) for name, init in inits.items()},
            state="playable",
            reason=None,
            artwork=False,
        )
        async with self._database.writing() as work:
            # Another source may have the same bytes: what was made of it serves both.
            twins = await store.of_presentation(work.connection, identity)
            known = next((row.extras for row in twins if row.extras is not None), None)
            await store.save(work.connection, replace(stored, extras=known))
            await work.announce(PresentationPlayable(fact.source_id, presentation))
            added = await store.sidecars_of(work.connection, fact.source_id)
            if known is not None or added:
                await _announce(work, fact.source_id, identity, replace(extras_of(known), added=added))
        return stored

    async def _unplayable(self, plan: EncodingPlan, identity: str, fact: SourceReady, reason: str) -> None:
        stored = store.Stored(
            source_id=fact.source_id,
            id=identity,
            source_key=fact.blob_key,
            sha256=fact.sha256,
            plan=PLAN.dump_json(plan).decode(),
            presentation="",
            inits={},
            state="failed",
            reason=reason,
            artwork=False,
        )
        async with self._database.writing() as work:
            await store.save(work.connection, stored)
            await work.announce(PresentationFailed(fact.source_id, reason))

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

    # What became of titles

    async def completed(self, title: Title) -> None:
        """Every segment exists: announced once."""
        async with self._database.writing() as work:
            for source_id in await store.complete(work.connection, title.id):
                await work.announce(PresentationComplete(source_id, title.id))

    async def ran(self, title: Title, errand: Errand, result: dict[str, Any] | None, reason: str) -> None:
        """An extra was made, or why it never will be: kept and announced."""
        async with self._database.writing() as work:
            rows = await store.of_presentation(work.connection, title.id)
            if not rows:
                return
            extras = extras_of(rows[0].extras)
            extras = missed(extras, errand, reason) if result is None else merged(extras, errand, result)
            extras = replace(extras, added=await store.sidecars_of(work.connection, rows[0].source_id))
            for source_id in await store.keep_extras(work.connection, title.id, EXTRAS.dump_json(extras).decode()):
                if errand == "storyboard":
                    await _announce(work, source_id, title.id, extras)
                else:
                    await work.announce(ExtrasReady(source_id, title.id, extras))
        title.extras = extras

    async def marked(self, title: Title) -> None:
        """Segments were given up, or could be made after all: written down."""
        title.mended = False
        async with self._database.writing() as work:
            await store.keep_damage(work.connection, title.id, title.damage)

    async def damaged(self, title: Title, reason: str) -> None:
        """A part could not be made; the reason is kept and the rest stays playable."""
        async with self._database.writing() as work:
            await store.note(work.connection, title.id, reason)

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
        """How long the film has still to be encoded, why it waits, and what could not be made of it."""
        title = await self._title(presentation_id)
        if title is None:
            return Outlook()
        if not self._fills and not title.map.complete:
            return Outlook(waits_for="Another process encodes ahead of time.")
        return self._scheduler.outlook(title)

    async def init(self, presentation_id: str, rendition: str) -> bytes:
        """The init segment of a rendition. Raises `NotFound`, or `Busy` when it is lost and cannot be made again."""
        title, chosen = await self._rendition(presentation_id, rendition)
        key = init_key(title.id, chosen.name)
        if data := await self._studio.stored(key):
            return data
        _log.warning("the init segments of presentation %s are lost: making them again", title.id)
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


async def _announce(work: UnitOfWork, source_id: str, identity: str, extras: Extras) -> None:
    await work.announce(ExtrasReady(source_id, identity, extras))
    if extras.artwork is not None:
        await work.announce(
            ArtworkReady(
                source_id,
                artwork_key(identity, f"poster-{extras.artwork.poster}"),
                artwork_key(identity, f"backdrop-{extras.artwork.backdrop}"),
                len(extras.artwork.seconds),
            )
        )
