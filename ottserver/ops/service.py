"""Whether this process can serve, and what it has counted."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

CHECK_SECONDS = 2.0
FRESH_SECONDS = 1.0
"""For how long an answer is good: anybody may ask, and asking must not burden the backends."""


class Checkable(Protocol):
    """A backend that can say whether it is there."""

    async def check(self) -> None:
        """Raise when it cannot be reached."""
        ...


class Disk(Protocol):
    """What a look at the disks found."""

    @property
    def free(self) -> int | None:
        """Bytes left, or nothing where that is unknown."""
        ...

    @property
    def full(self) -> bool:
        """Whether uploads and work ahead of time are paused."""
        ...


class Disks(Protocol):
    """Whoever knows how much room there is."""

    async def look(self) -> Disk:
        """The room there is."""
        ...


@dataclass(frozen=True, slots=True)
class Readiness:
    """The state of every backend by name: "ok", or what is wrong in a sentence."""

    ready: bool
    backends: Mapping[str, str]
    disk: Disk


class OpsService:
    """Asks the backends; `draining` is set once the process has been told to stop."""

    def __init__(self, backends: Mapping[str, Checkable], draining: asyncio.Event, disks: Disks) -> None:
        """Check `backends`, by their names, and look at `disks`."""
        self._disks = disks
        self._backends = backends
        self._draining = draining
        self._turn = asyncio.Lock()
        self._states: dict[str, str] = {}
        self._asked_at = -math.inf

    async def readiness(self) -> Readiness:
        """The state of every backend, not older than `FRESH_SECONDS`."""
        async with self._turn:
            if time.monotonic() - self._asked_at > FRESH_SECONDS:
                answers = await asyncio.gather(*map(self._state, self._backends))
                self._states = dict(zip(self._backends, answers, strict=True))
                self._asked_at = time.monotonic()
        states = {**self._states, **({"process": "shutting down"} if self._draining.is_set() else {})}
        return Readiness(all(state == "ok" for state in states.values()), states, await self.disk())

    async def disk(self) -> Disk:
        """How much room there is. A full disk stops uploads and work ahead of time, and nothing else."""
        return await self._disks.look()

    async def _state(self, name: str) -> str:
        """Ask one backend, for at most `CHECK_SECONDS`."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._backends[name].check()
        except TimeoutError:
            return f"did not answer within {CHECK_SECONDS:g} seconds"
        except Exception:  # whatever a driver raises means that the backend is not there
            log.warning("the %s backend is down", name, exc_info=True)
            return "cannot be reached"
        return "ok"
