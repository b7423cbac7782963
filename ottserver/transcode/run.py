"""One job of the background's: a batch of sound, or a run of pictures that goes on while nothing else comes first."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from ottserver.transcode.hold import Hold
from ottserver.transcode.outlook import units_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ottserver.transcode.outlook import Speed
    from ottserver.transcode.segmentmap import Work
    from ottserver.transcode.title import Title

_MANY = 4
# While more segments wait to be taken, a run takes its next one while it makes one, and its worker never waits. Each of
# the last ones is taken when the one before is made, so that all workers end together.


class Run:
    """What has been claimed of a title so far, and whether the worker may make more."""

    def __init__(
        self, title: Title, work: Work, goes_on: Callable[[Title, int], bool], speeds: Sequence[Speed]
    ) -> None:
        """Begin with `work`.

        `goes_on` says, after each segment, whether the next is to be made by the same worker; `speeds` are told how
        long each picture segment took but the first, which has the worker's start and what is decoded before it.
        """
        self._title = title
        self._speeds = speeds
        self._since: float | None = None
        self._goes_on = goes_on
        self._grows = work.kind == "video"
        self._cursor = title.map.cursor
        self.work = work
        """What is claimed."""
        self.hold = Hold(work.first + work.count if self._grows else None)
        end = max(
            rendition.segments for rendition in title.presentation.renditions if rendition.name in work.renditions
        )
        self.whole = replace(work, count=end - work.first) if self._grows else work
        """What the worker is told: how much of it is made is the hold's to say."""

    def made(self, rendition: str, index: int, data: bytes) -> None:
        """A segment is published."""
        del data
        if rendition != self.work.renditions[-1]:
            return
        if not self._grows:
            return
        self._note()
        end = self.work.first + self.work.count
        if index == end - 1 or self._title.map.unclaimed > _MANY:
            self._grow(index + 1 - self.work.first)
        if index == self.work.first + self.work.count - 1:
            self.hold.stop()

    def _note(self) -> None:
        since, self._since = self._since, asyncio.get_running_loop().time()
        if since is None:
            return
        units = units_of(self._title.sizes, dict.fromkeys(self.work.renditions, 1))
        for speed in self._speeds:
            speed.note(units, self._since - since)

    def _grow(self, made: int) -> None:
        if not self._here() or not self._goes_on(self._title, made):
            return
        grown = self._title.map.grow(self.work)
        if grown is not None:
            self.work = grown
            self.hold.extend(grown.first + grown.count)

    def _here(self) -> bool:
        """Whether whoever plays the film is still where the run was begun for, or follows it."""
        return self._cursor <= self._title.map.cursor <= self.work.first + self.work.count
