from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ottserver.media import segment_key

if TYPE_CHECKING:
    from tests.delivery.conftest import Stage


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0.002)


def keys(stage: Stage, rendition: str, *indices: int) -> list[str]:
    return [segment_key(stage.film.id, rendition, index) for index in indices]


async def take(stage: Stage, *indices: int) -> None:
    for index in indices:
        async with stage.client.get(stage.url(f"{{p}}/v480/{index}.m4s")) as response:
            assert response.status == 200


async def test_next_segment_of_one_who_watches_in_order_is_in_memory_before_it_is_asked_for(stage: Stage) -> None:
    await take(stage, 0, 1)
    await settle()
    assert stage.segments.asked == keys(stage, "v480", 0, 1, 2)
    await take(stage, 2)
    assert stage.segments.asked == keys(stage, "v480", 0, 1, 2)
    assert stage.registry.get_sample_value("ott_edge_requests_total", {"outcome": "ahead"}) == 1


async def test_nothing_is_read_ahead_for_one_who_seeks_about(stage: Stage) -> None:
    await take(stage, 1, 0)
    await settle()
    assert stage.segments.asked == keys(stage, "v480", 1, 0)


async def test_one_who_asks_while_it_is_read_ahead_gets_that_one(stage: Stage) -> None:
    await take(stage, 0)
    stage.segments.gate.clear()
    second = asyncio.create_task(take(stage, 1))
    await settle()
    stage.segments.gate.set()
    await second
    stage.segments.gate.clear()
    third = asyncio.create_task(take(stage, 2))
    await settle()
    stage.segments.gate.set()
    await third
    assert stage.segments.asked == keys(stage, "v480", 0, 1, 2)


async def test_segment_that_is_not_made_is_made_for_who_asks_while_it_is_looked_for(stage: Stage) -> None:
    await stage.segments.blobs.delete(segment_key(stage.film.id, "v480", 2))
    await take(stage, 0)
    stage.segments.missing_is_made = b"made now"
    await take(stage, 1)
    async with stage.client.get(stage.url("{p}/v480/2.m4s")) as response:
        assert await response.read() == b"made now"
