"""Fills what is missing in the background.

Whatever a player waits for goes before. Then come the pictures and first segments of every title; then titles that are
being watched; then the one with the least left, so that short films do not wait for long ones. Every third turn goes to
the title that has waited longest, so that none waits for ever.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from ottserver.errors import Busy, NoRoom, NotFound
from ottserver.media import Outlook
from ottserver.transcode.outlook import Speed
from ottserver.transcode.pool import JobFailed
from ottserver.transcode.run import Run
from ottserver.transcode.segmentmap import TURN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ottserver.transcode.checker import Checker
    from ottserver.transcode.errands import Errand
    from ottserver.transcode.segmentmap import Work
    from ottserver.transcode.studio import Studio
    from ottserver.transcode.title import Title

_log = logging.getLogger(__name__)
_PAUSE_SECONDS = 5.0
# After a backend failed, before the work is taken up again; and between two looks at a full disk.
_COURTESY_SECONDS = 5.0
_OLDEST_EVERY = 3
_REMADE = 2
# How often a segment that was found wrong is made again.
_AGAIN_SECONDS, _AGAIN_MOST_SECONDS = 30.0, 3600.0
# After a title could not be checked, until that is tried again: each time twice as long.


class Outcome(Protocol):
    """Whoever keeps what became of a title."""

    async def completed(self, title: Title) -> None:
        """Every segment exists."""
        ...

    async def ran(self, title: Title, errand: Errand, result: dict[str, Any] | None, reason: str) -> None:
        """An errand has its result, or none and a reason why there will never be one."""
        ...

    async def damaged(self, title: Title, reason: str) -> None:
        """Something could not be made; the rest can."""
        ...

    async def marked(self, title: Title) -> None:
        """Which segments could not be made has changed."""
        ...


class Scheduler:
    """The titles that have work left."""

    def __init__(
        self, studio: Studio, outcome: Outcome, quiet: asyncio.Event, checker: Checker, *, workers: int
    ) -> None:
        """Keep `workers` jobs in hand while `quiet` is set; `checker` looks at what is finished."""
        self._checker = checker
        self._studio = studio
        self._outcome = outcome
        self._quiet = quiet
        self._workers = workers
        self._titles: list[Title] = []
        self._unchecked: dict[Title, asyncio.TimerHandle] = {}
        """Titles that are whole and could not be checked; each is taken up again in a while."""
        self._turns = 0
        self._wake = asyncio.Event()
        self._speed = Speed()
        self.full = False
        """Whether the work waits for room on the disk."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Fill while the context lasts."""
        fillers = [asyncio.create_task(self._fill()) for _ in range(self._workers)]
        try:
            yield
        finally:
            for filler in fillers:
                filler.cancel()
            for timer in self._unchecked.values():
                timer.cancel()
            self._unchecked.clear()
            await asyncio.gather(*fillers, return_exceptions=True)

    def add(self, title: Title) -> None:
        """Work on the title from now on, until nothing is left to do."""
        self._forget_check(title)
        if title not in self._titles:
            self._titles.append(title)
            self._wake.set()

    def _forget_check(self, title: Title) -> None:
        if (timer := self._unchecked.pop(title, None)) is not None:
            timer.cancel()

    def outlook(self, title: Title) -> Outlook:
        """How long the title has still to wait and to be worked on, and why it waits."""
        damaged = tuple((name, index, why) for name, marked in title.damage.items() for index, why in marked.items())
        if title not in self._titles:
            return Outlook(made=title.made, damaged=damaged)
        before = sorted(self._titles, key=_precedence)
        before = [other for other in before[: before.index(title)] if other is not title]
        waiting = self._waiting(before)

        def until(units: int) -> float | None:
            own = self._seconds(title, units)
            return None if waiting is None or own is None else (waiting + own) / self._workers

        parts = {name: until(units) for name, units in title.units_until().items()}
        return Outlook(
            made=title.made,
            seconds_left=until(title.units_left),
            renditions={name: seconds for name, seconds in parts.items() if seconds is not None},
            waits_for=self._obstacle(title, len(before)),
            damaged=damaged,
        )

    def obstacles(self) -> dict[Title, str]:
        """Every title that has work left, and why it waits; nothing while it is worked on."""
        return {title: self._obstacle(title, n) for n, title in enumerate(sorted(self._titles, key=_precedence))}

    def _waiting(self, before: list[Title]) -> float | None:
        """Worker seconds that go to other titles first; nothing where that cannot be told."""
        seconds = [self._seconds(other, other.units_left) for other in before]
        known = [one for one in seconds if one is not None]
        return sum(known) if self._workers and not self.full and len(known) == len(seconds) else None

    def _seconds(self, title: Title, units: int) -> float | None:
        if not title.listed:
            return None
        own = title.speed.seconds(units)
        return self._speed.seconds(units) if own is None else own

    def _obstacle(self, title: Title, before: int) -> str:
        if not self._workers:
            return "Nothing is encoded ahead of time on this server: it has no background workers."
        if self.full:
            return "The disk is full; encoding goes on when there is room."
        if title.work and self._quiet.is_set():
            return ""
        if not self._quiet.is_set():
            return "What players wait for goes first."
        return f"{before} film{'s' if before > 1 else ''} before it." if before else ""

    def has(self, title: Title) -> bool:
        """Whether the title has work left."""
        return title in self._titles or title in self._unchecked

    async def drop(self, title: Title) -> None:
        """Stop working on the title."""
        if title in self._titles:
            self._titles.remove(title)
        self._forget_check(title)
        tasks = list(title.work)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fill(self) -> None:
        while True:
            with suppress(TimeoutError):
                # Players who always wait for something keep the background back, but not for ever.
                async with asyncio.timeout(_COURTESY_SECONDS):
                    await self._quiet.wait()
            await self._room()
            self._wake.clear()
            for title in self._order():
                if title in self._titles and await self._turn(title):
                    break
            else:
                await self._wake.wait()

    async def _room(self) -> None:
        """Wait until there is room on the disk for more than players and the database need."""
        while True:
            try:
                full = (await self._studio.room()).full
            except Busy:
                return
            if not full:
                self._fills(full=False)
                return
            self._fills(full=True)
            await asyncio.sleep(_PAUSE_SECONDS)

    def _fills(self, *, full: bool) -> None:
        if full is self.full:
            return
        self.full = full
        if full:
            _log.warning("the disk is full: encoding ahead of time waits for room")
        else:
            _log.info("there is room on the disk again: encoding goes on")
        for title in self._titles:
            title.tell()

    def _order(self) -> list[Title]:
        """The titles, the one whose turn it is first."""
        self._turns += 1
        if self._turns % _OLDEST_EVERY == 0:
            return sorted(self._titles, key=lambda title: title.served)
        return sorted(self._titles, key=_precedence)

    async def _turn(self, title: Title) -> bool:
        """Do one job of the title's; whether there was one."""
        served, title.served = title.served, self._turns
        task = asyncio.create_task(self._step(title))
        title.work.add(task)
        try:
            await asyncio.wait({task})
        finally:
            title.work.discard(task)
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        done = not task.cancelled() and task.result()
        if not done:
            title.served = served
        return done

    async def _step(self, title: Title) -> bool:
        try:
            await self._studio.list(title)
            if (errand := title.errand()) is not None:
                await self._errand(title, errand)
            elif (work := title.map.claim()) is not None:
                await self._segments(title, work)
            else:
                return await self._rest(title)
        except NotFound:
            return False
        except NoRoom:
            self._fills(full=True)
            await asyncio.sleep(_PAUSE_SECONDS)
        except Exception:  # noqa: BLE001 - whatever a backend raises, the work is taken up again
            # The database or the blob store is away: nothing is lost, and the title keeps its place.
            _log.exception("work on presentation %s was interrupted", title.id)
            await asyncio.sleep(_PAUSE_SECONDS)
        return True

    async def _segments(self, title: Title, work: Work) -> None:
        run = Run(title, work, self._goes_on, (self._speed, title.speed))
        try:
            await self._studio.segments(title, run.whole, "background", hold=run.hold, made=run.made)
        except JobFailed as failure:
            for name, index in title.map.fail(run.work):
                title.mark(name, index, str(failure))
                await self._outcome.marked(title)
        finally:
            title.map.release(run.work)

    def _goes_on(self, title: Title, made: int) -> bool:
        """Whether a run that has made so many segments goes on with the next: nobody else should have the worker."""
        others = [other for other in self._titles if other is not title]
        if title.gone or self.full or not all(_begun(other) for other in others):
            return False
        return made < TURN or (not others and self._quiet.is_set())

    async def _errand(self, title: Title, errand: Errand) -> None:
        try:
            await self._outcome.ran(title, errand, await self._studio.errand(title, errand), "")
        except JobFailed as failure:
            await self._outcome.ran(title, errand, None, str(failure))
        except Exception:
            title.put_back(errand)
            raise

    async def _rest(self, title: Title) -> bool:
        """Nothing can be claimed: all is made, or others have the last jobs in hand, or something has failed.

        Whether there is work left after all.
        """
        # A task that is done has seen this one at work and left the end to it, though its filler has yet to wake up.
        if any(not task.done() for task in title.work - {asyncio.current_task()}):
            return False
        if title.mended:
            await self._outcome.marked(title)
        if title.map.complete:
            if not title.checked and not await self._check(title):
                self._wake.set()
                return title in self._titles
            await self._outcome.completed(title)
            title.tell()
        if title in self._titles:
            self._titles.remove(title)
        return False

    async def _check(self, title: Title) -> bool:
        """Whether the finished title is what it should be. What is not is made again, or given up in the end.

        A title that cannot even be checked is left alone for a while.
        """
        try:
            await self._studio.keep_inits(title)
            bad = await self._checker.bad(title)
        except JobFailed as failure:
            pause = min(_AGAIN_SECONDS * 2 ** min(title.unchecked, 10), _AGAIN_MOST_SECONDS)
            _log.warning("presentation %s could not be checked, trying again in %d s: %s", title.id, pause, failure)
            title.unchecked += 1
            self._titles.remove(title)
            self._unchecked[title] = asyncio.get_running_loop().call_later(pause, self.add, title)
            return False
        for (name, index), reason in bad.items():
            title.remade[name, index] += 1
            _log.warning("segment %d of %s of presentation %s is wrong: %s", index, name, title.id, reason)
            await self._studio.discard(title, name, index)
            if title.remade[name, index] > _REMADE:
                title.mark(name, index, reason)
                await self._outcome.marked(title)
        title.checked = not bad
        return title.checked


def _begun(title: Title) -> bool:
    """Whether the title has its pictures and first segments, or they are being made."""
    return not title.errands and title.listed and title.map.begun


def _precedence(title: Title) -> tuple[bool, bool, int, int]:
    begun = _begun(title)
    return begun, not title.watched, title.map.missing if begun else 0, title.served
