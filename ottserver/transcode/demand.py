"""Segments that players wait for: one job for all who want the same one, none for what nobody wants any more."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ottserver.errors import Busy, NotFound
from ottserver.transcode.pool import JobFailed
from ottserver.transcode.segmentmap import Work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ottserver.transcode.studio import Studio
    from ottserver.transcode.title import Title

    Key = tuple[str, str, int]


@dataclass
class _Wanted:
    """A segment on its way."""

    task: asyncio.Task[bytes]
    title: Title
    waiters: int = 0
    started: bool = False


class Demand:
    """What players wait for at the moment."""

    def __init__(self, studio: Studio, *, limit: int) -> None:
        """Have at most `limit` segments on their way."""
        self._studio = studio
        self._limit = limit
        self._wanted: dict[Key, _Wanted] = {}
        self.quiet = asyncio.Event()
        """Set while nobody waits for anything."""
        self.quiet.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve while the context lasts; what is on its way at its end is given up."""
        try:
            yield
        finally:
            await self._give_up(list(self._wanted.values()))

    async def segment(self, title: Title, rendition: str, index: int, viewer: str) -> bytes:  # noqa: ARG002
        """The published bytes of a segment that is missing.

        Raises `Busy` when too many are on their way or this one could not be made, `NotFound` when its title goes
        meanwhile.
        """
        title.map.cursor = index
        wanted = self._wanted.get((title.id, rendition, index)) or self._want(title, rendition, index)
        wanted.waiters += 1
        try:
            return await asyncio.shield(wanted.task)
        except JobFailed as failure:
            message = f"Segment {index} of {rendition} could not be made: {failure}"
            raise Busy(message) from failure
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if wanted.task.cancelled() and current is not None and not current.cancelling():
                message = "The film was removed."
                raise NotFound(message) from None
            raise
        finally:
            wanted.waiters -= 1
            if not wanted.waiters and not wanted.started:
                wanted.task.cancel()
                self._forget((title.id, rendition, index), wanted)

    async def drop(self, title: Title) -> None:
        """Give up whatever is wanted of a title."""
        await self._give_up([wanted for wanted in self._wanted.values() if wanted.title is title])

    def _want(self, title: Title, rendition: str, index: int) -> _Wanted:
        if len(self._wanted) >= self._limit:
            message = "Too many segments are being made at the moment."
            raise Busy(message, retry_after=2)
        key = (title.id, rendition, index)
        wanted = _Wanted(asyncio.create_task(self._make(title, rendition, index)), title)
        self._wanted[key] = wanted
        self.quiet.clear()
        wanted.task.add_done_callback(lambda _: self._forget(key, wanted))
        return wanted

    async def _make(self, title: Title, rendition: str, index: int) -> bytes:
        def started() -> None:
            self._wanted[title.id, rendition, index].started = True

        kind = "audio" if rendition in {track.name for track in title.presentation.audio} else "video"
        work = Work(kind, (rendition,), index)
        made = await self._studio.segments(title, work, "urgent", started=started)
        return made[rendition, index]

    def _forget(self, key: Key, wanted: _Wanted) -> None:
        if self._wanted.get(key) is wanted:
            del self._wanted[key]
        if not self._wanted:
            self.quiet.set()
        if wanted.task.done() and not wanted.task.cancelled():
            # Those who waited have been told; when nobody waits any more, nobody needs to be.
            wanted.task.exception()

    async def _give_up(self, wanted: list[_Wanted]) -> None:
        for one in wanted:
            one.task.cancel()
        await asyncio.gather(*(one.task for one in wanted), return_exceptions=True)
