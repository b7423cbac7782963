"""One run of segments that players wait for, and what is wanted of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ottserver.transcode.hold import Hold
from ottserver.transcode.segmentmap import Work

if TYPE_CHECKING:
    from ottserver.transcode.title import Title
    from ottserver.transcode.turns import Flow

LOOK_AHEAD = 3
"""Segments that are made beyond the last one a player has asked for."""
_SOUND_AHEAD = 5
_REACH = 2
# Segments between the one in the making and one that is asked for, up to which waiting is sooner than seeking.


@dataclass(eq=False)
class Wanted:
    """A segment on its way, and who waits for it."""

    run: Making
    index: int
    bytes: asyncio.Future[bytes]
    viewers: list[str] = field(default_factory=list)
    """Who waits, a name for each."""


class Making:
    """A run: one rendition from `first` on, as far as its viewers need it."""

    def __init__(self, title: Title, rendition: str, first: int, viewer: str, *, sound: bool) -> None:
        """Nothing is begun yet."""
        chosen = title.presentation.rendition(rendition)
        rest = (first + 1 if chosen is None else chosen.segments) - first
        self.title = title
        self.rendition = rendition
        self.viewer = viewer
        self.sound = sound
        self.first = self.next = first
        """The first segment, and the first one that is not made yet."""
        # Sound is made so fast that a run of it is simply short.
        self.work = Work("audio" if sound else "video", (rendition,), first, min(rest, _SOUND_AHEAD) if sound else rest)
        self.hold = Hold(None if sound else first)
        self.wanted: dict[int, Wanted] = {}
        self.started = False
        """Whether a worker has begun it."""
        self.seen = 0.0
        """When somebody last asked something of it, in seconds of the loop's clock."""
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self._reserved: list[Work] = []
        self._reserve_to = first
        self.lead(first)

    def flows(self) -> set[Flow]:
        """For whom it works: those who wait, else the one for whom it was begun."""
        viewers = {viewer for one in self.wanted.values() for viewer in one.viewers} or {self.viewer}
        return {(viewer, self.sound) for viewer in viewers}

    def only(self) -> list[str]:
        """The one viewer who waits for it, if it is one."""
        viewers = {viewer for one in self.wanted.values() for viewer in one.viewers}
        return list(viewers) if len(viewers) == 1 else []

    def covers(self, rendition: str, index: int) -> bool:
        """Whether the run will come to a segment sooner than another one would."""
        if rendition != self.rendition or self.hold.stopped:
            # What is wanted of a run that gives way is made by the one that follows it.
            return rendition == self.rendition and index in self.wanted
        return self.next <= index <= self.next + _REACH and index < self.first + self.work.count

    def lead(self, index: int) -> None:
        """Somebody is at `index`: go on to some segments beyond it."""
        end = min(index + 1 + LOOK_AHEAD, self.first + self.work.count)
        self.hold.extend(end)
        while self._reserve_to < end:
            reserved = self.title.map.reserve(self.rendition, self._reserve_to)
            self._reserve_to += 1
            if reserved is not None:
                self._reserved.append(reserved)

    def want(self, index: int) -> Wanted:
        """Somebody waits for a segment."""
        self.lead(index)
        wanted = self.wanted.get(index)
        if wanted is None:
            future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            wanted = self.wanted[index] = Wanted(self, index, future)
        return wanted

    def forget(self, wanted: Wanted) -> None:
        """Nobody waits for a segment any more."""
        if self.wanted.get(wanted.index) is wanted:
            del self.wanted[wanted.index]

    def made(self, index: int, data: bytes) -> None:
        """A segment is published."""
        self.next = max(self.next, index + 1)
        wanted = self.wanted.pop(index, None)
        if wanted is not None and not wanted.bytes.done():
            wanted.bytes.set_result(data)

    def adopt(self, other: Making) -> None:
        """Take over what is wanted of a run that has ended."""
        for index, wanted in other.wanted.items():
            wanted.run = self
            self.wanted[index] = wanted
            self.lead(index)
        other.wanted = {}

    def release(self) -> None:
        """Let others make what this run has not."""
        for work in self._reserved:
            self.title.map.release(work)

    def fail(self, reason: BaseException | None) -> None:
        """Tell those who wait that nothing comes: why, or that the film is gone."""
        for wanted in self.wanted.values():
            if wanted.bytes.done():
                continue
            if reason is None:
                wanted.bytes.cancel()
            else:
                wanted.bytes.set_exception(reason)
                wanted.bytes.exception()
        self.wanted = {}
