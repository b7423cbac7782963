"""What all home pages share is read once for many, and never out of date for whoever has just changed it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ottserver.backends.database import open_database
from ottserver.catalog import store
from ottserver.catalog.models import Details, Summary, Video
from ottserver.catalog.shelves import FRESH_SECONDS, Shelves
from ottserver.clock import utcnow
from ottserver.ids import new_id
from tests.playback.support import Switchable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Switchable]:
    async with open_database(f"sqlite:///{tmp_path}/ott.db") as real:
        yield Switchable(real)


async def add(database: Switchable, shelves: Shelves | None, title: str) -> None:
    noticed = database if shelves is None else shelves.noticing(database)
    async with noticed.writing() as work:
        await store.add(work.connection, film(title))


def film(title: str) -> Video:
    return Video(
        id=new_id(),
        details=Details(title=title),
        upload_id=None,
        source_id=new_id(),
        status="playable",
        reason=None,
        presentation_id="ab" * 16,
        duration_seconds=60.0,
        size_bytes=1000,
        summary=Summary(),
        poster_key=None,
        backdrop_key=None,
        created_at=utcnow(),
        published_at=utcnow(),
    )


async def titles(shelves: Shelves) -> list[str]:
    return [video.details.title for video in (await shelves.now()).newest]


async def test_many_home_pages_read_once(database: Switchable) -> None:
    shelves = Shelves(database)
    await add(database, shelves, "One")
    before = database.read
    assert await asyncio.gather(*(titles(shelves) for _ in range(50))) == [["One"]] * 50
    assert database.read == before + 1


async def test_film_of_this_process_is_there_at_once_and_that_of_another_soon(database: Switchable) -> None:
    moment = 100.0
    shelves = Shelves(database, clock=lambda: moment)
    await add(database, shelves, "One")
    assert await titles(shelves) == ["One"]
    await add(database, shelves, "Two")
    assert await titles(shelves) == ["Two", "One"]
    await add(database, None, "Three")
    moment += FRESH_SECONDS
    assert await titles(shelves) == ["Three", "Two", "One"]


async def test_what_was_read_before_a_change_is_not_kept(database: Switchable) -> None:
    shelves = Shelves(database)
    reading = asyncio.create_task(titles(shelves))
    await asyncio.sleep(0)
    await add(database, shelves, "One")
    await reading
    assert await titles(shelves) == ["One"]
