from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from ottserver.backends.outage import breaker
from ottserver.backends.outage.breaker import FAILURES, BackendMetrics, Breaker
from ottserver.errors import Busy


async def fine() -> str:
    return "fine"


async def failing() -> str:
    raise ConnectionError("refused")


async def hanging() -> str:
    await asyncio.Event().wait()
    return "never"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Time that passes when a test says so."""
    return Clock()


@pytest.fixture
def guarding(clock: Clock) -> Breaker:
    """A breaker whose calls may take a tenth of a second."""
    return Breaker("cache", BackendMetrics(CollectorRegistry()), wait_seconds=0.1, now=clock)


async def test_open_breaker_fails_at_once_and_closes_by_itself(guarding: Breaker, clock: Clock) -> None:
    for _ in range(FAILURES):
        with pytest.raises(Busy):
            await guarding.run(failing)
    with pytest.raises(Busy):
        await guarding.run(fine)
    clock.now += breaker.FIRST_PAUSE_SECONDS
    assert await guarding.run(fine) == "fine"
    assert not guarding.is_open


async def test_one_caller_tries_and_is_not_waited_for_for_ever(
    guarding: Breaker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "TRIAL_SECONDS", 0.01)
    outcomes = await asyncio.gather(*(guarding.run(hanging) for _ in range(FAILURES)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Busy] * FAILURES
    clock.now += breaker.FIRST_PAUSE_SECONDS
    trial = asyncio.create_task(guarding.run(hanging))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await guarding.run(fine)
    with pytest.raises(Busy):
        await trial
    clock.now += breaker.LONGEST_PAUSE_SECONDS
    assert await guarding.run(fine) == "fine"


async def test_caller_that_gave_up_after_a_while_has_seen_a_failure(guarding: Breaker, clock: Clock) -> None:
    for waited in (0.0, *[breaker.SLOW_SECONDS] * FAILURES):
        assert not guarding.is_open
        call = asyncio.create_task(guarding.run(hanging))
        await asyncio.sleep(0)
        clock.now += waited
        call.cancel()
        await asyncio.wait([call])
    assert guarding.is_open
