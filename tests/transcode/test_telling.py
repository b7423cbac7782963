from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ottserver.backends.blobs import space
from ottserver.transcode import telling
from tests.support.house import eventually
from tests.transcode.test_service import planned

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.transcode.room import Room


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(space, "FRESH_SECONDS", 0.0)


async def said(told: Callable[[], bool]) -> None:
    async def look() -> bool | None:
        await asyncio.sleep(0)
        return told() or None

    await eventually(look)


async def test_film_that_only_waits_is_told_of_once(room: Room) -> None:
    async with room.open(fill=True, background_workers=0) as opened:
        presentation = await planned(room, opened)
        await said(lambda: bool(opened.watcher.seen))
        assert opened.watcher.seen[0]["presentation_id"] == presentation.id
        await asyncio.sleep(0.2)
        assert len(opened.watcher.seen) == 1


async def test_disk_that_fills_up_is_told_also_of_films_that_are_not_planned_yet(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = 0

    async def free() -> int:
        await asyncio.sleep(0)
        return left

    async with room.open(fill=True) as opened:
        monkeypatch.setattr(opened.blobs, "free_bytes", free)
        await said(lambda: {"disk_full": True} in opened.watcher.seen)
        assert "disk is full" in (await opened.service.outlook("")).waits_for
        left = 1 << 30
        await said(lambda: {"disk_full": False} in opened.watcher.seen)
        assert (await opened.service.outlook("")).waits_for == ""
