from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from ottserver.errors import Busy
from ottserver.events import PresentationPlayable
from ottserver.transcode.turns import Turns

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transcode.room import OpenRoom, Room

    Wish = tuple[str, int]


async def served(opened: OpenRoom, room: Room, wishes: list[Wish]) -> list[Wish]:
    """What came of the wishes of viewers for pictures, and in which order, if all are in line before the first comes.

    What is refused comes as a segment less than 0.
    """
    await opened.service.on_source_ready(room.ready)
    fact = await opened.fact(PresentationPlayable)
    assert isinstance(fact, PresentationPlayable)
    came: list[Wish] = []

    async def one(viewer: str, index: int) -> None:
        try:
            await opened.service.segment(fact.presentation.id, "v480", index, viewer=viewer)
        except Busy:
            index -= 100
        came.append((viewer, index))

    (worker,) = opened.service.pool.pids()
    os.kill(worker, signal.SIGSTOP)
    tasks = []
    try:
        for wish in wishes:
            tasks.append(asyncio.create_task(one(*wish)))
            await asyncio.sleep(0.02)
    finally:
        os.kill(worker, signal.SIGCONT)
    async with asyncio.timeout(8):
        await asyncio.gather(*tasks)
    return came


@pytest.mark.parametrize(
    ("wishes", "order"),
    [
        pytest.param(
            [("hog", 0), ("hog", 4), ("hog", 8), ("ben", 14)],
            [("hog", 0), ("ben", 14), ("hog", 4), ("hog", 8)],
            id="one wish goes before many but for what is in the worker's hands",
        ),
        pytest.param(
            [("anna", 0), ("anna", 6), ("anna", 12), ("ben", 3), ("ben", 9), ("ben", 15)],
            [("anna", 0), ("ben", 3), ("anna", 6), ("ben", 9), ("anna", 12), ("ben", 15)],
            id="two who wish for much take turns",
        ),
        pytest.param(
            [("hog", 0), ("hog", 3), ("hog", 6), ("hog", 9), ("ben", 9)],
            [("hog", 0), ("hog", 9), ("ben", 9)],
            id="what one has asked for last comes first when another one asks for it too",
        ),
    ],
)
async def test_whoever_had_least_is_next(room: Room, wishes: list[Wish], order: list[Wish]) -> None:
    async with room.open(segment_seconds=(0.5,)) as opened:
        came = await served(opened, room, wishes)
        assert came[: len(order)] == order
        assert sorted(came) == sorted(wishes)


async def test_run_gives_way_before_it_is_through_with_what_one_viewer_wishes(room: Room) -> None:
    wishes = [*(("hog", index) for index in (0, 1, 2, 3, 4, 5)), ("ben", 12)]
    async with room.open(segment_seconds=(0.5,)) as opened:
        came = await served(opened, room, wishes)
        # By the time the worker hears of it, it may be through with the next.
        assert came.index(("ben", 12)) in {1, 2}
        assert sorted(came) == sorted(wishes)


def times(folder: Path) -> dict[str, int]:
    """When each segment of the one rung was written, by its name."""
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("v480/*.m4s")}


async def test_run_goes_on_ahead_of_nobody_while_somebody_waits(room: Room, tmp_path: Path) -> None:
    async with room.open(segment_seconds=(0.5,)) as opened:
        assert await served(opened, room, [("anna", 0), ("ben", 12)]) == [("anna", 0), ("ben", 12)]
        # Once nobody waits any more, Anna's run may go on.
        made = await asyncio.to_thread(times, tmp_path)
        assert made["12.m4s"] < made.get("3.m4s", time.time_ns())


async def test_full_line_takes_one_more_at_the_cost_of_whoever_waits_for_most(room: Room) -> None:
    async with room.open(segment_seconds=(0.5,), queue_limit=3) as opened:
        came = await served(opened, room, [("hog", 0), ("hog", 4), ("hog", 8), ("ben", 12), ("hog", 15)])
        assert came == [("hog", 8 - 100), ("hog", 15 - 100), ("hog", 0), ("ben", 12), ("hog", 4)]


def test_however_many_come_anew_do_not_keep_one_back_for_ever() -> None:
    turns = Turns()
    waiting = [("old", False)]
    turns.join(waiting[0], [])
    turns.charge(waiting, 1)
    for number in range(20):
        waiting.append((f"new {number}", False))
        turns.join(waiting[-1], waiting[:-1])
        chosen = min(waiting, key=turns.had)
        turns.charge([chosen], len(waiting))
        waiting.remove(chosen)
        if chosen[0] == "old":
            return
    pytest.fail("twenty others went first")


def test_time_away_is_not_paid_for() -> None:
    turns = Turns()
    anna, ben = ("anna", False), ("ben", False)
    turns.join(anna, [])
    for _ in range(10):
        turns.join(ben, [anna])
        turns.charge([ben], 1)
    turns.join(anna, [ben])  # she has been away meanwhile
    assert 0 <= turns.had(ben) - turns.had(anna) <= 1
