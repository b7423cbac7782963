"""A breaker (circuit breaker, after M. Nygard, Release It!) in front of a backend that may be away or may hang.

Three failures without a success between them open it: from then on calls fail at once, so that nobody waits in vain.
After a pause one caller at a time tries again, and a success closes it. Nothing has to be restarted.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge

from ottserver.errors import Busy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

log = logging.getLogger(__name__)

FAILURES = 3
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0
TRIAL_SECONDS = 2.0
SLOW_SECONDS = 1.0
"""A caller that gave up after waiting this long has seen a failure."""


class BackendMetrics:
    """What is said of backends (Prometheus)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything in `registry`."""
        self.down = Gauge(
            "ott_backend_down", "1 while a backend is not asked, for it failed", ["backend"], registry=registry
        )
        self.failures = Counter(
            "ott_backend_failures", "Calls of a backend that failed or took too long", ["backend"], registry=registry
        )


class Breaker:
    """Lets calls through to one backend, or fails them at once."""

    def __init__(
        self,
        name: str,
        metrics: BackendMetrics,
        *,
        wait_seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """A call may take `wait_seconds`, one that only tries whether the backend is back at most `TRIAL_SECONDS`."""
        self._name = name
        self._down = metrics.down.labels(name)
        self._count = metrics.failures.labels(name)
        self._wait = wait_seconds
        self._now = now
        self._failures = 0
        self._pause = FIRST_PAUSE_SECONDS
        self._again_at = 0.0
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether the backend is taken to be away."""
        return self._failures >= FAILURES

    async def run(self, call: Callable[[], Awaitable[T]]) -> T:
        """What `call` gives. Raises `Busy` when it fails, takes too long, or is not tried."""
        trial = self.is_open
        if trial:
            if self._trying or self._now() < self._again_at:
                raise self.away()
            self._trying = True
        begun = self._now()
        try:
            async with asyncio.timeout(self._limit(trial=trial)):
                answer = await call()
        except asyncio.CancelledError:
            if self._now() - begun >= SLOW_SECONDS:
                self._failed("it did not answer in time")
            raise
        except Exception as error:
            self._failed(str(error) or type(error).__name__)
            raise error if isinstance(error, Busy) else self.away() from error
        finally:
            if trial:
                self._trying = False
        self.worked()
        return answer

    def _limit(self, *, trial: bool) -> float:
        return min(self._wait, TRIAL_SECONDS) if trial else self._wait

    def worked(self) -> None:
        """The backend was seen to answer."""
        if self.is_open:
            log.warning("the %s answers again", self._name)
        self._failures = 0
        self._pause = FIRST_PAUSE_SECONDS
        self._down.set(0)

    def _failed(self, why: str) -> None:
        self._count.inc()
        was_open = self.is_open
        self._failures += 1
        if not self.is_open:
            return
        if not was_open:
            log.warning("the %s is away (%s): what can go on does so without it", self._name, why)
        self._down.set(1)
        self._again_at = self._now() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)

    def away(self) -> Busy:
        """What to raise while the backend is away."""
        return Busy(f"The {self._name} cannot be reached at the moment; try again shortly.")
