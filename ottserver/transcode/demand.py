"""Segments that players wait for: one job for all who want the same one, none for what nobody wants any more.

What a player asks for begins a run: its worker goes on decoding forward, some segments ahead of the player, instead of
seeking again for each. A run without anybody who waits gives way to one with, and after each segment also one whose
viewers have had more than whoever is first in line: many wishes of one do not keep the others back.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ottserver.errors import Busy, NotFound
from ottserver.media import segment_key
from ottserver.transcode.making import Making, Wanted
from ottserver.transcode.pool import JobFailed
from ottserver.transcode.turns import Turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from ottserver.transcode.pool import Rank
    from ottserver.transcode.studio import Studio
    from ottserver.transcode.title import Title
    from ottserver.transcode.turns import Flow

_REST_SECONDS = 10.0
"""A run that nobody has asked anything of for so long ends: its viewer has paused, or is gone."""


class Demand:
    """What players wait for at the moment."""

    def __init__(self, studio: Studio, *, limit: int, left: Callable[[Title], None]) -> None:
        """Have at most `limit` segments on their way; `left` is told of titles of which a run has left something."""
        self._studio = studio
        self._limit = limit
        self._left = left
        self._runs: set[Making] = set()
        self._at_work: set[Making] = set()
        self._turns = Turns()
        self.quiet = asyncio.Event()
        """Set while nobody waits for anything."""
        self.quiet.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve while the context lasts; what is on its way at its end is given up."""
        try:
            yield
        finally:
            await self._give_up(list(self._runs))

    async def segment(self, title: Title, rendition: str, index: int, viewer: str) -> bytes:
        """The published bytes of a segment that is missing.

        Raises `Busy` when too many are on their way or this one could not be made, `NotFound` when its title goes
        meanwhile.
        """
        title.look(index)
        # It may have been made in the moment between the look into the store and this one.
        key = segment_key(title.id, rendition, index)
        if title.map.is_ready(rendition, index) and (data := await self._studio.segment(key)):
            return data
        flow = (viewer, rendition in {track.name for track in title.presentation.audio})
        self._turns.join(flow, self._busy())
        run = self._covering(title, rendition, index) or self._begin(title, rendition, index, flow)
        wanted = run.want(index)
        self.quiet.clear()
        wanted.viewers.append(viewer)
        try:
            return await asyncio.shield(wanted.bytes)
        except JobFailed as failure:
            message = f"Segment {index} of {rendition} could not be made: {failure}"
            raise Busy(message) from failure
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if wanted.bytes.cancelled() and current is not None and not current.cancelling():
                message = "The film was removed."
                raise NotFound(message) from None
            raise
        finally:
            wanted.viewers.remove(viewer)
            if not wanted.viewers and not wanted.bytes.done():
                self._unwanted(wanted)

    def watched(self, title: Title, rendition: str, index: int) -> None:
        """A player has taken a segment that exists: whoever makes the next ones may go on."""
        title.look(index)
        for run in self._runs:
            if run.title is title and run.rendition == rendition and run.first <= index < run.next:
                run.lead(index)
                self._watch(run)

    def give_way(self) -> None:
        """Where no worker is free, end the run that is only ahead of its viewer and was asked least recently."""
        # A run of sound ends by itself, sooner than it could be stopped.
        ahead = [run for run in self._runs if not run.wanted and not run.hold.stopped and not run.sound]
        if ahead and not self._studio.at_once():
            min(ahead, key=lambda run: run.seen).hold.stop()

    async def drop(self, title: Title) -> None:
        """Give up whatever is wanted of a title."""
        await self._give_up([run for run in self._runs if run.title is title])

    def _covering(self, title: Title, rendition: str, index: int) -> Making | None:
        return next((run for run in self._runs if run.title is title and run.covers(rendition, index)), None)

    def _begin(self, title: Title, rendition: str, index: int, flow: Flow) -> Making:
        viewer, sound = flow
        if sum(len(run.wanted) for run in self._runs) >= self._limit:
            self._make_room(viewer)
        ahead = [run for run in self._runs if not run.wanted]
        # What was made ahead for the place, or the rung, that this viewer has left is of no use any more.
        for run in ahead:
            if viewer and run.viewer == viewer and run.sound == sound:
                run.hold.stop()
        self.give_way()
        run = Making(title, rendition, index, viewer, sound=sound)
        self._start(run)
        return run

    def _make_room(self, viewer: str) -> None:
        """Let whoever waits for most lose the wish that came last, unless that is the viewer, or has hardly more."""
        message = "Too many segments are being made at the moment."
        wishes = Counter(name for run in self._runs for wanted in run.wanted.values() for name in wanted.viewers)
        waiting = [run for run in self._runs if run.wanted and not run.started]
        alone = [(wishes[name], run.seen, run) for run in waiting for name in run.only()]
        most, _, last = max(alone, key=lambda entry: entry[:2], default=(0, 0.0, None))
        if last is None or most <= wishes[viewer] + 1:
            raise Busy(message, retry_after=2)
        last.fail(Busy(message, retry_after=2))
        self._drop(last)

    def _start(self, run: Making) -> None:
        self._runs.add(run)
        self._watch(run)
        work = self._studio.segments(
            run.title,
            run.work,
            "urgent",
            rank=lambda: self._rank(run),
            hold=run.hold,
            started=lambda: self._started(run),
            made=lambda _, index, data: self._made(run, index, data),
        )
        run.task = asyncio.create_task(work)
        run.task.add_done_callback(lambda task: self._ended(run, task))

    def _started(self, run: Making) -> None:
        run.started = True
        self._at_work.add(run)
        self._turns.charge(run.flows(), len(self._busy()))

    def _rank(self, run: Making) -> Rank:
        """The smallest goes first: who has no worker, then who had least, then sound, which is made in a moment."""
        others = [other for other in self._at_work if other is not run and not other.hold.stopped]
        served = {flow for other in others for flow in other.flows()}
        return min((flow in served, self._turns.had(flow), not run.sound) for flow in run.flows())

    def _busy(self) -> set[Flow]:
        """All who want something, or for whom a worker is at work."""
        return {flow for run in self._runs for flow in run.flows()}

    def _made(self, run: Making, index: int, data: bytes) -> None:
        run.made(index, data)
        self._calm()
        if not run.wanted:
            self._watch(run)
        self._pass_on(run)
        if not run.hold.stopped:
            self._turns.charge(run.flows(), len(self._busy()))

    def _pass_on(self, run: Making) -> None:
        """After a segment, give the worker to the first in line who gets none that is about to be free.

        The run goes on if somebody waits for more of it who had no more than that one. A run of sound ends by itself.
        """
        line = self._studio.line()
        leaving = sum(other.hold.stopped for other in self._at_work)
        if run.sound or run.hold.stopped or leaving >= len(line):
            return
        if not run.wanted or line[leaving] < self._rank(run):
            run.hold.stop()

    def _unwanted(self, wanted: Wanted) -> None:
        """The last who waited for a segment has gone: the player has moved on, or is closed."""
        run = wanted.run
        run.forget(wanted)
        self._calm()
        if run.wanted:
            return
        self._drop(run)

    def _drop(self, run: Making) -> None:
        """Nothing is wanted of the run: end it, or have it never begin."""
        run.hold.stop()
        if not run.started and run.task is not None:
            run.task.cancel()
            self._runs.discard(run)

    def _ended(self, run: Making, task: asyncio.Task[None]) -> None:
        self._runs.discard(run)
        self._at_work.discard(run)
        if run.timer is not None:
            run.timer.cancel()
        run.release()
        failure = None if task.cancelled() else task.exception()
        if run.wanted and not task.cancelled() and failure is None and not run.title.gone:
            self._again(run)
        else:
            run.fail(failure)
        self._calm()
        if not run.title.gone:
            self._left(run.title)

    def _again(self, ended: Making) -> None:
        """The run ended in the moment in which somebody wanted more of it."""
        first = min(ended.wanted)
        run = Making(ended.title, ended.rendition, first, ended.viewer, sound=ended.sound)
        run.adopt(ended)
        self._start(run)

    def _watch(self, run: Making) -> None:
        """End the run when nobody asks anything of it for a while."""
        loop = asyncio.get_running_loop()
        run.seen = loop.time()
        if run.timer is not None:
            run.timer.cancel()
        run.timer = loop.call_later(_REST_SECONDS, self._rest, run)

    def _rest(self, run: Making) -> None:
        if run.wanted:
            self._watch(run)
        else:
            run.hold.stop()

    def _calm(self) -> None:
        if not any(run.wanted for run in self._runs):
            self.quiet.set()

    async def _give_up(self, runs: Iterable[Making]) -> None:
        tasks = [run.task for run in runs if run.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
