"""What players notice of a blob store that fails: nothing where bytes are in memory, and never half a segment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ottserver.backends.blobs import BlobsDown
from ottserver.backends.blobs.layer import Layer
from ottserver.backends.blobs.steady import SteadyBlobs
from tests.delivery.films import content

if TYPE_CHECKING:
    from ottserver.backends.blobs import Blobs
    from tests.delivery.conftest import Stage

PLAYERS = 40


class Origin(Layer):
    """A store that answers as it is told."""

    def __init__(self, below: Blobs) -> None:
        super().__init__(below)
        self.fault = ""
        self.reads = 0

    async def get(self, key: str) -> bytes:
        self.reads += 1
        if self.fault == "down" or (self.fault == "shaky" and self.reads % 3):
            raise BlobsDown
        if self.fault == "hangs":
            await asyncio.sleep(3600)
        return await super().get(key)


@pytest.fixture
def origin(stage: Stage) -> Origin:
    origin = Origin(stage.segments.blobs)
    stage.segments.blobs = SteadyBlobs(origin, try_seconds=0.3, deadline_seconds=3.0)
    return origin


async def take(stage: Stage, index: int) -> tuple[int, bytes]:
    async with stage.client.get(stage.url(f"{{p}}/v480/{index}.m4s")) as response:
        if response.status == 503:
            assert int(response.headers["Retry-After"]) > 0
        return response.status, await response.read()


@pytest.mark.parametrize("fault", ["down", "hangs"])
async def test_players_go_on_with_what_is_in_memory_and_are_told_to_come_back_for_the_rest(
    stage: Stage, origin: Origin, fault: str
) -> None:
    whole = content("v480", str(0))
    assert await take(stage, 0) == (200, whole)
    origin.fault = fault
    assert await asyncio.gather(*(take(stage, 0) for _ in range(PLAYERS))) == [(200, whole)] * PLAYERS
    before = origin.reads
    answers = await asyncio.gather(*(take(stage, 2) for _ in range(PLAYERS)))
    assert {status for status, _ in answers} == {503}
    assert origin.reads - before <= 3
    origin.fault = ""
    assert await take(stage, 2) == (200, content("v480", str(2)))


async def test_players_notice_nothing_of_an_origin_that_fails_two_times_of_three(stage: Stage, origin: Origin) -> None:
    origin.fault = "shaky"
    for index in range(3):
        assert await take(stage, index) == (200, content("v480", str(index)))
