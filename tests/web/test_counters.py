from __future__ import annotations

from limits import RateLimitItemPerMinute
from limits.aio.strategies import MovingWindowRateLimiter

from ottserver.web.counters import BoundedStorage

TWO = RateLimitItemPerMinute(2)


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


async def test_window_moves_with_the_clock() -> None:
    clock = Clock()
    limiter = MovingWindowRateLimiter(BoundedStorage(now=clock))
    assert await limiter.hit(TWO, "a")
    clock.now += 40
    assert await limiter.hit(TWO, "a")
    assert not await limiter.hit(TWO, "a")
    assert await limiter.get_window_stats(TWO, "a") == (1_000_060.0, 0)
    clock.now += 21
    assert await limiter.hit(TWO, "a")
    assert not await limiter.hit(TWO, "a")


async def test_clock_that_is_set_back_locks_nobody_out() -> None:
    clock = Clock()
    limiter = MovingWindowRateLimiter(BoundedStorage(now=clock))
    assert [await limiter.hit(TWO, "a") for _ in range(3)] == [True, True, False]
    clock.now -= 3600
    assert await limiter.hit(TWO, "a")


async def test_callers_without_number_take_bounded_memory_and_the_busy_one_stays_counted() -> None:
    storage = BoundedStorage(keys_limit=100)
    limiter = MovingWindowRateLimiter(storage)
    await limiter.hit(TWO, "busy")
    await limiter.hit(TWO, "busy")
    for number in range(1000):
        await limiter.hit(TWO, f"caller {number}")
        if number % 50 == 0:
            assert not await limiter.hit(TWO, "busy")
    assert await storage.reset() == 100


async def test_entries_are_bounded_too() -> None:
    storage = BoundedStorage(entries_limit=100)
    limiter = MovingWindowRateLimiter(storage)
    many = RateLimitItemPerMinute(60)
    for name in "abc":
        assert await limiter.hit(many, name, cost=50)
    assert await storage.reset() == 2
    assert await limiter.hit(many, "a", cost=50)
