"""From a source to its plan: by which encoder, with or without copies, and whether its init segments can be made."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ottserver.events import PresentationFailed, PresentationPlayable, SourceReady
from ottserver.transcode import selftests, store
from ottserver.transcode.encoders import SOFTWARE
from ottserver.transcode.forms import PLAN, PRESENTATION, extras_of
from ottserver.transcode.models import InitSegment
from ottserver.transcode.outcomes import announce_extras
from ottserver.transcode.plan import digest, make_plan, present, presentation_id
from ottserver.transcode.pool import JobFailed
from ottserver.transcode.store import Stored

if TYPE_CHECKING:
    from ottserver.backends.database import Database
    from ottserver.transcode.models import EncoderSettings, EncodingPlan
    from ottserver.transcode.studio import Studio

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Planned:
    """A source has a presentation that can be played."""

    identity: str
    """The presentation's id."""
    replaced: str = ""
    """The id of the one that the source had before, where that was another."""


class Planner:
    """Plans sources with the encoder that this machine has. Choose it before anything is planned."""

    def __init__(self, database: Database, studio: Studio, settings: EncoderSettings) -> None:
        """Keep rows in `database`, and have init segments made by `studio`."""
        self._database = database
        self._studio = studio
        self._settings = settings
        self._unfit: list[str] = []
        self.encoder = SOFTWARE
        """Of video that is planned from now on."""
        self.devices = False
        """Whether an encoder in use has to reach the machine's devices."""

    async def choose_encoder(self) -> None:
        """Try the encoder that is set, and those that unfinished films were planned with."""
        choice = await selftests.decide(self._settings.encoder, self._settings.preset)
        self.encoder = choice.encoder
        async with self._database.reading() as connection:
            used = await store.encoders_in_use(connection)
        encoders = {encoder or SOFTWARE for encoder in used.values()}
        gone = await selftests.gone(encoders, choice, self._settings.preset)
        self.devices = {SOFTWARE} != {choice.encoder, SOFTWARE} | encoders - gone
        self._unfit = [source_id for source_id, encoder in used.items() if encoder in gone]

    async def unfit(self) -> list[SourceReady]:
        """The sources that an encoder has begun that cannot be used any more, to be planned again.

        Nobody can finish what it has begun: no other encoder's segments fit among its own.
        """
        facts = []
        for source_id in self._unfit:
            async with self._database.reading() as connection:
                row = await store.of_source(connection, source_id)
            if row is not None:
                plan = await asyncio.to_thread(PLAN.validate_json, row.plan)
                _log.warning("source %s is planned again, for another encoder than %s", source_id, plan.encoder)
                facts.append(SourceReady(source_id, row.sha256, row.source_key, plan.report))
        self._unfit = []
        return facts

    async def plan(self, fact: SourceReady, *, copy: bool = True) -> Planned | None:
        """Plan the source and announce its presentation, or why there is none; done before, nothing is announced.

        Without `copy` nothing of it is played as it is.
        """
        plan = make_plan(fact.report, self._settings, copy=copy, encoder=self.encoder)
        identity = presentation_id(plan, fact.sha256)
        async with self._database.reading() as connection:
            before = await store.of_source(connection, fact.source_id)
        if before is not None and before.id == identity and before.state != "failed":
            return Planned(identity)
        try:
            await self._playable(plan, identity, fact)
        except JobFailed as failure:
            if copy and plan.copied:
                _log.warning("source %s cannot be played as it is and is encoded: %s", fact.source_id, failure)
                return await self.plan(fact, copy=False)
            await self._unplayable(plan, identity, fact, f"The film cannot be encoded: {failure}")
            return None
        _log.info("source %s is playable as presentation %s", fact.source_id, identity)
        return Planned(identity, replaced=before.id if before is not None and before.id != identity else "")

    async def _playable(self, plan: EncodingPlan, identity: str, fact: SourceReady) -> None:
        text = PLAN.dump_json(plan).decode()
        items = await self._studio.inits(text, fact.blob_key if plan.copied else "")
        await self._studio.publish_inits(identity, items)
        inits = {name: InitSegment(name, item.about["codecs"], item.data) for name, item in items.items()}
        presentation = present(plan, identity=identity, source_id=fact.source_id, inits=inits)
        stored = Stored(
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
                await announce_extras(work, fact.source_id, identity, replace(extras_of(known), added=added))

    async def _unplayable(self, plan: EncodingPlan, identity: str, fact: SourceReady, reason: str) -> None:
        stored = Stored(
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
