from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ottserver.errors import Busy
from ottserver.events import PresentationComplete
from ottserver.media import init_key, segment_key
from ottserver.transcode import store
from ottserver.transcode.boxes import fragment, whole
from ottserver.transcode.checker import Checker
from ottserver.transcode.pool import JobFailed
from tests.transcode.room import BLOB_KEY, OpenRoom, Room
from tests.transcode.test_service import planned

if TYPE_CHECKING:
    from ottserver.media import Presentation
    from ottserver.transcode.title import Title


async def damage_of(opened: OpenRoom, presentation: Presentation) -> dict[str, dict[int, str]]:
    async with opened.database.reading() as connection:
        (row,) = await store.of_presentation(connection, presentation.id)
    return store.damage_of(row)


async def made(opened: OpenRoom, presentation: Presentation) -> dict[tuple[str, int], bytes]:
    """Every segment, as players get it."""
    return {
        (rendition.name, index): await opened.service.segment(presentation.id, rendition.name, index)
        for rendition in presentation.renditions
        for index in range(rendition.segments)
    }


async def test_film_that_could_not_be_checked_is_looked_at_again(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    look, failures = Checker.bad, ["the worker process ended unexpectedly"] * 2

    async def killed_at_first(checker: Checker, title: Title) -> dict[tuple[str, int], str]:
        if failures:
            raise JobFailed(failures.pop())
        return await look(checker, title)

    monkeypatch.setattr(Checker, "bad", killed_at_first)
    monkeypatch.setattr("ottserver.transcode.scheduler._AGAIN_SECONDS", 0.01)
    async with room.open(fill=True) as opened:
        await planned(room, opened)
        await opened.fact(PresentationComplete)
    assert not failures


async def test_film_is_complete_only_after_wrong_segments_were_made_again(room: Room) -> None:
    async with room.open() as opened:
        presentation = await planned(room, opened)
        good = await made(opened, presentation)
        sound = good["a0", 3]
        for (name, index), data in {
            ("v480", 0): b"",
            ("v480", 1): good["v480", 1][:-7],
            ("v480", 2): good["v480", 1],
            ("v480", 3): bytes(len(good["v480", 3])),
            ("a0", 3): sound[: len(sound) // 2] + bytes(500) + sound[len(sound) // 2 + 500 :],
        }.items():
            await opened.blobs.put(segment_key(presentation.id, name, index), data)
        await opened.blobs.delete(init_key(presentation.id, "a0"))
    async with room.open(fill=True) as opened:
        await opened.fact(PresentationComplete)
        for (name, index), data in good.items():
            stored = await opened.blobs.get(segment_key(presentation.id, name, index))
            seen, expected = fragment(stored), fragment(data)
            assert whole(stored)
            assert (seen.start, seen.samples, seen.duration) == (expected.start, expected.samples, expected.duration)
        mended = await opened.blobs.get(segment_key(presentation.id, "a0", 3))
        assert bytes(500) not in mended
        assert await opened.blobs.get(init_key(presentation.id, "a0"))
        assert await damage_of(opened, presentation) == {}


async def test_half_a_segment_is_never_served(room: Room) -> None:
    async with room.open() as opened:
        presentation = await planned(room, opened)
        data = await opened.service.segment(presentation.id, "v480", 1)
        key = segment_key(presentation.id, "v480", 1)
        for rest in (data[:100], data[:-1], bytes(len(data))):
            await opened.blobs.put(key, rest)
            again = await opened.service.segment(presentation.id, "v480", 1)
            assert whole(again)
            assert await opened.blobs.get(key) == again


async def test_segments_that_cannot_be_made_are_marked_and_made_on_demand_when_they_can(room: Room) -> None:
    async with room.open(fill=True) as opened:
        presentation = await planned(room, opened)
        await opened.blobs.delete(BLOB_KEY)
        reason = "the source's bytes are not in the blob store"
        marked: dict[str, dict[int, str]] = {}
        while 3 not in marked.get("v480", {}):
            marked = await damage_of(opened, presentation)
        with pytest.raises(Busy, match="choose another quality"):
            await opened.service.segment(presentation.id, "v480", 3)
        assert marked["v480"][3] == reason
    async with room.open(fill=True) as opened:
        assert (await damage_of(opened, presentation))["v480"][3] == reason
        await made(opened, presentation)
        await opened.fact(PresentationComplete)
        assert await damage_of(opened, presentation) == {}
