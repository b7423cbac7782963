"""What became of the background's work on titles: written down, and announced in the same transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ottserver.events import ArtworkReady, ExtrasReady, PresentationComplete
from ottserver.media import artwork_key
from ottserver.transcode import store
from ottserver.transcode.errands import merged, missed
from ottserver.transcode.forms import EXTRAS, extras_of

if TYPE_CHECKING:
    from ottserver.backends.database import Database, UnitOfWork
    from ottserver.media import Extras
    from ottserver.transcode.errands import Errand
    from ottserver.transcode.title import Title


class Outcomes:
    """Implements the scheduler's `Outcome` on the room's rows."""

    def __init__(self, database: Database) -> None:
        """Keep it in `database`."""
        self._database = database

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
                if errand != "subtitles":
                    await announce_extras(work, source_id, title.id, extras)
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


async def announce_extras(work: UnitOfWork, source_id: str, identity: str, extras: Extras) -> None:
    """Announce the extras of a presentation, and the pictures among them."""
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
