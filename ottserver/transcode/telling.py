"""Tells those who look on when a film begins to wait, or waits for something else: no segment says that."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from ottserver.errors import Busy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ottserver.transcode.scheduler import Scheduler
    from ottserver.transcode.studio import Studio
    from ottserver.transcode.title import Progress, Title

EVERY_SECONDS = 1.0
FULL = "The disk is full; the film goes on when there is room."


class Telling:
    """Looks at what films wait for, once a second."""

    def __init__(self, scheduler: Scheduler, studio: Studio, progress: Progress) -> None:
        """Look at the titles of `scheduler` and the disks of `studio`; tell `progress`."""
        self._scheduler = scheduler
        self._studio = studio
        self._progress = progress
        self._seen: dict[Title, str] = {}
        self._told: dict[Title, tuple[str, int]] = {}
        self._full = False

    @property
    def obstacle(self) -> str:
        """What a film waits for that has not been planned yet; nothing where nothing is in its way."""
        return FULL if self._full else ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look while the context lasts."""
        task = asyncio.create_task(self._run(), name="transcode-telling")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            with suppress(Busy):
                self._look_at_disks(full=(await self._studio.room()).full)
            self._look_at_titles()

    def _look_at_disks(self, *, full: bool) -> None:
        if full is not self._full:
            self._full = full
            self._progress.publish("transcode", {"disk_full": full})

    def _look_at_titles(self) -> None:
        seen = self._scheduler.obstacles()
        self._told = {title: self._told.get(title, ("", 0)) for title in seen}
        for title, reason in seen.items():
            told, times = self._told[title]
            # Whatever is told of a title tells this too, and may have come in a moment without the obstacle.
            news = reason != told or (reason and title.told != times)
            # What holds for a moment only, as between two jobs, is not worth a word.
            if news and reason == self._seen.get(title):
                title.tell()
                self._told[title] = (reason, title.told)
        self._seen = seen
