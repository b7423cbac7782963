from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from ottserver.delivery.edge import FLIGHTS_LIMIT, FLIGHTS_OF_ONE, Edge
from ottserver.delivery.metrics import DeliveryMetrics
from ottserver.errors import Busy


class Origin:
    """Answers when it is told to, and remembers how often it was asked and withdrawn."""

    def __init__(self) -> None:
        self.asked = 0
        self.withdrawn = 0
        self.ready = asyncio.Event()

    async def __call__(self) -> bytes:
        self.asked += 1
        try:
            await self.ready.wait()
        except asyncio.CancelledError:
            self.withdrawn += 1
            raise
        return b"x" * 1000


def edge(limit_bytes: int = 1_000_000) -> Edge:
    return Edge(limit_bytes, DeliveryMetrics(CollectorRegistry()))


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_many_who_miss_the_same_body_cause_one_fetch() -> None:
    cache, origin = edge(), Origin()
    waiting = [asyncio.create_task(cache.fetch("k", origin, "video/mp4")) for _ in range(100)]
    await settle()
    origin.ready.set()
    bodies = await asyncio.gather(*waiting)
    assert origin.asked == 1
    assert len({id(body) for body in bodies}) == 1
    assert cache.cached("k") is bodies[0]


async def test_fetch_goes_on_while_one_of_its_waiters_is_left() -> None:
    cache, origin = edge(), Origin()
    leaving, staying = (asyncio.create_task(cache.fetch("k", origin, "video/mp4")) for _ in range(2))
    await settle()
    leaving.cancel()
    await settle()
    assert origin.withdrawn == 0
    origin.ready.set()
    assert (await staying).data == b"x" * 1000


async def test_fetch_is_withdrawn_when_the_last_waiter_leaves_and_can_start_again() -> None:
    cache, origin = edge(), Origin()
    waiting = [asyncio.create_task(cache.fetch("k", origin, "video/mp4")) for _ in range(3)]
    await settle()
    for task in waiting:
        task.cancel()
    again = asyncio.create_task(cache.fetch("k", origin, "video/mp4"))
    await settle()
    assert (origin.asked, origin.withdrawn) == (2, 1)
    origin.ready.set()
    assert cache.cached("k") is None
    assert await again is cache.cached("k")


async def test_failure_reaches_all_who_wait_and_is_not_kept() -> None:
    cache = edge()
    tries = 0

    async def broken() -> bytes:
        nonlocal tries
        tries += 1
        await asyncio.sleep(0)
        if tries == 1:
            raise Busy("The encoder is busy.")
        return b"now"

    first = await asyncio.gather(*(cache.fetch("k", broken, "video/mp4") for _ in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in first] == [Busy, Busy, Busy]
    assert (await cache.fetch("k", broken, "video/mp4")).data == b"now"
    assert tries == 2


async def test_too_many_different_fetches_are_refused_in_words() -> None:
    cache, origin = edge(), Origin()
    waiting = [asyncio.create_task(cache.fetch(str(n), origin, "video/mp4")) for n in range(FLIGHTS_LIMIT)]
    await settle()
    with pytest.raises(Busy, match="Too many"):
        await cache.fetch("one more", origin, "video/mp4")
    await cache.close()
    assert all(isinstance(r, asyncio.CancelledError) for r in await asyncio.gather(*waiting, return_exceptions=True))


async def test_entity_tag_follows_the_bytes_alone() -> None:
    async def small() -> bytes:
        return b"same"

    async def large() -> bytes:
        return b"y" * 200_000

    one, two = edge(), edge()
    assert (await one.fetch("a", small, "video/mp4")).etag == (await two.fetch("b", small, "audio/mp4")).etag
    assert (await one.fetch("c", large, "video/mp4")).etag != (await one.fetch("a", small, "video/mp4")).etag


async def test_memory_stays_within_its_bound_and_a_large_body_is_served_all_the_same() -> None:
    async def kilobytes(count: int) -> bytes:
        return b"z" * (count * 1000)

    cache = edge(50_000)
    for number in range(200):
        await cache.fetch(str(number), lambda: kilobytes(10), "video/mp4")
    assert sum(cache.cached(str(number)) is not None for number in range(200)) == 4
    assert len((await cache.fetch("huge", lambda: kilobytes(60), "video/mp4")).data) == 60_000
    assert cache.cached("huge") is None


async def test_one_who_asks_for_very_much_at_once_is_put_off_and_keeps_nobody_else_waiting() -> None:
    cache, origin = edge(), Origin()
    greedy = [
        asyncio.create_task(cache.fetch(str(n), origin, "video/mp4", asker="greedy")) for n in range(FLIGHTS_OF_ONE)
    ]
    await settle()
    with pytest.raises(Busy):
        await cache.fetch("more", origin, "video/mp4", asker="greedy")
    modest = asyncio.create_task(cache.fetch("other", origin, "video/mp4", asker="modest"))
    joining = asyncio.create_task(cache.fetch("other", origin, "video/mp4", asker="greedy"))
    await settle()
    origin.ready.set()
    assert await modest is await joining
    await asyncio.gather(*greedy)
    assert (await cache.fetch("more", origin, "video/mp4", asker="greedy")).data
