"""Work that waits in database rows: taken up after a restart as if nothing had happened."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from ottserver.errors import Busy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How soon rows of another process are noticed; those of this one wake the worker."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
_BATCH = 256


class Worker:
    """Works on the rows that `waiting` names, `at_once` at a time. One that fails is tried again, ever later."""

    def __init__(
        self,
        name: str,
        waiting: Callable[[int], Awaitable[list[str]]],
        work: Callable[[str], Awaitable[None]],
        *,
        at_once: int,
    ) -> None:
        """`waiting(limit)` names rows, oldest first; `work(id)` takes one out of that list, or raises."""
        self._name = name
        self._waiting = waiting
        self._work = work
        self._at_once = at_once
        self._wake = asyncio.Event()
        self._in_hand: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, tuple[int, float]] = {}

    def wake(self) -> None:
        """Look for rows now."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled; what is in hand then is left for the next start."""
        try:
            while True:
                self._wake.clear()
                pause = LOOK_SECONDS
                try:
                    pause = self._start(await self._waiting(_BATCH))
                except Exception:
                    log.exception("%s could not read what waits; trying again", self._name)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
        finally:
            tasks = list(self._in_hand.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, waiting: list[str]) -> float:
        """Begin as much as may be in hand; seconds until something else could be begun without a wake-up."""
        now = time.monotonic()
        self._failures = {row: failure for row, failure in self._failures.items() if row in waiting}
        pause = LOOK_SECONDS
        for row in waiting:
            _, due = self._failures.get(row, (0, now))
            if row in self._in_hand:
                continue
            if due > now:
                pause = min(pause, due - now)
            elif len(self._in_hand) < self._at_once:
                self._in_hand[row] = asyncio.create_task(self._attempt(row), name=f"{self._name}-{row}")
        return pause

    async def _attempt(self, row: str) -> None:
        try:
            await self._work(row)
        except Exception as error:
            attempts = self._failures.get(row, (0, 0.0))[0] + 1
            pause = min(FIRST_PAUSE_SECONDS * 2 ** min(attempts - 1, 16), LONGEST_PAUSE_SECONDS)
            self._failures[row] = (attempts, time.monotonic() + pause)
            # A full disk and a store that is away are no defects: their sentences say all there is to know.
            known = isinstance(error, Busy)
            log.warning(
                "%s %s failed (attempt %d), trying again in %.0f s: %s",
                *(self._name, row, attempts, pause, error),
                exc_info=None if known else error,
            )
        finally:
            del self._in_hand[row]
            self._wake.set()
