"""Fills what is missing in the background: titles take turns, and whatever a player waits for goes before."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from ottserver.errors import NotFound
from ottserver.transcode.pool import JobFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ottserver.transcode.errands import Errand
    from ottserver.transcode.segmentmap import Work
    from ottserver.transcode.studio import Studio
    from ottserver.transcode.title import Title

_log = logging.getLogger(__name__)
_PAUSE_SECONDS = 5.0
# After a backend failed, before the work is taken up again.


class Outcome(Protocol):
    """Whoever keeps what became of a title."""

    async def completed(self, title: Title) -> None:
        """Every segment exists."""
        ...

    async def drawn(self, title: Title, *, found: bool) -> None:
        """Artwork was made, or there is nothing to be seen in the film."""
        ...

    async def ran(self, title: Title, errand: Errand, result: dict[str, Any] | None, reason: str) -> None:
        """An errand has its result, or none and a reason why there will never be one."""
        ...

    async def damaged(self, title: Title, reason: str) -> None:
        """Something could not be made; the rest can."""
        ...


class Scheduler:
    """The titles that have work left."""

    def __init__(self, studio: Studio, outcome: Outcome, quiet: asyncio.Event, *, workers: int) -> None:
        """Keep `workers` jobs in hand while `quiet` is set."""
        self._studio = studio
        self._outcome = outcome
        self._quiet = quiet
        self._workers = workers
        self._titles: deque[Title] = deque()
        self._wake = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Fill while the context lasts."""
        fillers = [asyncio.create_task(self._fill()) for _ in range(self._workers)]
        try:
            yield
        finally:
            for filler in fillers:
                filler.cancel()
            await asyncio.gather(*fillers, return_exceptions=True)

    def add(self, title: Title) -> None:
        """Work on the title from now on, until nothing is left to do."""
        if title not in self._titles:
            self._titles.append(title)
            self._wake.set()

    def has(self, title: Title) -> bool:
        """Whether the title has work left."""
        return title in self._titles

    async def drop(self, title: Title) -> None:
        """Stop working on the title."""
        if title in self._titles:
            self._titles.remove(title)
        tasks = list(title.work)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fill(self) -> None:
        while True:
            await self._quiet.wait()
            self._wake.clear()
            for _ in range(len(self._titles)):
                if not self._titles:
                    break
                title = self._titles[0]
                self._titles.rotate(-1)
                if await self._turn(title):
                    break
            else:
                await self._wake.wait()

    async def _turn(self, title: Title) -> bool:
        """Do one job of the title's; whether there was one."""
        task = asyncio.create_task(self._step(title))
        title.work.add(task)
        try:
            await asyncio.wait({task})
        finally:
            title.work.discard(task)
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        return not task.cancelled() and task.result()

    async def _step(self, title: Title) -> bool:
        try:
            await self._studio.list(title)
            if title.artwork_due:
                # A new film is looked at before it is played, and its pictures cost less than one segment.
                await self._artwork(title)
            elif title.errands:
                await self._errand(title, title.errands.pop(0))
            elif (work := title.map.claim()) is not None:
                await self._segments(title, work)
            else:
                await self._rest(title)
                return False
        except NotFound:
            return False
        except Exception:  # noqa: BLE001 - whatever a backend raises, the work is taken up again
            # The database or the blob store is away: nothing is lost, and the title keeps its place.
            _log.exception("work on presentation %s was interrupted", title.id)
            await asyncio.sleep(_PAUSE_SECONDS)
        return True

    async def _segments(self, title: Title, work: Work) -> None:
        try:
            await self._studio.segments(title, work, "background")
        except JobFailed as failure:
            title.map.fail(work)
            names = ", ".join(work.renditions)
            await self._outcome.damaged(title, f"Segment {work.first} of {names} could not be made: {failure}")
        finally:
            title.map.release(work)

    async def _artwork(self, title: Title) -> None:
        title.artwork_due = False
        try:
            await self._outcome.drawn(title, found=await self._studio.artwork(title))
        except JobFailed as failure:
            await self._outcome.damaged(title, f"No pictures could be made: {failure}")
        except Exception:
            title.artwork_due = True
            raise

    async def _errand(self, title: Title, errand: Errand) -> None:
        try:
            await self._outcome.ran(title, errand, await self._studio.errand(title, errand), "")
        except JobFailed as failure:
            await self._outcome.ran(title, errand, None, str(failure))
        except Exception:
            title.errands.append(errand)
            raise

    async def _rest(self, title: Title) -> None:
        """Nothing can be claimed: all is made, or others have the last jobs in hand, or something has failed."""
        # A task that is done has seen this one at work and left the end to it, though its filler has yet to wake up.
        if any(not task.done() for task in title.work - {asyncio.current_task()}):
            return
        if title.map.complete:
            await self._outcome.completed(title)
            title.tell()
        if title in self._titles:
            self._titles.remove(title)
