from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from ottserver.errors import Busy, NotFound
from ottserver.events import (
    ArtworkReady,
    ExtrasReady,
    PresentationComplete,
    PresentationPlayable,
    SourceReady,
    SourceRemoved,
)
from ottserver.media import Outlook, init_key, segment_key
from tests.transcode.clips import Clip, numbers_in, write
from tests.transcode.room import BLOB_KEY, SOURCE_ID

if TYPE_CHECKING:
    from pathlib import Path

    from ottserver.media import Presentation, SourceReport
    from tests.transcode.room import OpenRoom, Room


TWIN_ID = "01900000-0000-7000-8000-000000000002"


async def planned(room: Room, opened: OpenRoom) -> Presentation:
    await opened.service.on_source_ready(room.ready)
    fact = await opened.fact(PresentationPlayable)
    assert isinstance(fact, PresentationPlayable)
    return fact.presentation


async def test_planned_source_is_announced_with_manifest_facts_and_its_init_segments_exist(room: Room) -> None:
    async with room.open() as opened:
        presentation = await planned(room, opened)

        assert presentation == await opened.service.presentation(presentation.id)
        assert presentation.duration_seconds == 8.6
        assert [rendition.name for rendition in presentation.renditions] == ["v480", "a0"]
        video, audio = presentation.renditions
        assert video.codecs.startswith("avc1.4d40")
        assert audio.codecs == "mp4a.40.2"
        assert video.boundaries == (0, 50_000, 100_000, 150_000, 215_000)
        for rendition in presentation.renditions:
            init = await opened.service.init(presentation.id, rendition.name)
            assert init == await opened.blobs.get(init_key(presentation.id, rendition.name))


async def test_source_announced_twice_is_planned_once(room: Room) -> None:
    async with room.open() as opened:
        await opened.service.on_source_ready(room.ready)
        await opened.service.on_source_ready(room.ready)
        assert len(await opened.facts()) == 1


async def test_segments_from_the_room_play_to_the_last_frame(room: Room, tmp_path: Path) -> None:
    async with room.open() as opened:
        presentation = await planned(room, opened)
        parts = [await opened.service.segment(presentation.id, "v480", index) for index in (3, 0, 2, 1)]
        whole = await opened.service.init(presentation.id, "v480") + parts[1] + parts[3] + parts[2] + parts[0]
    film = tmp_path / "whole.mp4"
    film.write_bytes(whole)
    assert numbers_in(film) == list(range(215))


async def test_many_who_want_one_segment_get_the_published_bytes_of_one_job(room: Room) -> None:
    async with room.open() as opened:
        presentation = await planned(room, opened)
        made = await asyncio.gather(*(opened.service.segment(presentation.id, "v480", 1) for _ in range(20)))
        assert len(set(made)) == 1
        assert made[0] == await opened.blobs.get(segment_key(presentation.id, "v480", 1))


def box(kind: bytes, *inside: bytes) -> bytes:
    data = b"".join(inside)
    return (8 + len(data)).to_bytes(4) + kind + data


TRACK = box(b"tfhd", bytes(8)) + box(b"tfdt", bytes(8)) + box(b"trun", bytes(7), b"\1")
THEIRS = box(b"moof", box(b"traf", TRACK)) + box(b"mdat", b"theirs")


async def test_segment_published_by_somebody_else_first_is_the_one_handed_out(room: Room) -> None:
    async with room.open() as opened:
        presentation = await planned(room, opened)
        key = segment_key(presentation.id, "v480", 2)
        waiting = asyncio.create_task(opened.service.segment(presentation.id, "v480", 2))
        await asyncio.sleep(0)
        await opened.blobs.create(key, THEIRS)
        assert await waiting == THEIRS
        assert await opened.service.segment(presentation.id, "v480", 2) == THEIRS


@pytest.mark.parametrize(("rendition", "index"), [("v480", 4), ("v480", -1), ("v999", 0), ("../v480", 0), ("", 0)])
async def test_unknown_rendition_or_index_is_not_found(room: Room, rendition: str, index: int) -> None:
    async with room.open() as opened:
        presentation = await planned(room, opened)
        with pytest.raises(NotFound):
            await opened.service.segment(presentation.id, rendition, index)
        with pytest.raises(NotFound):
            await opened.service.segment("0" * 32, "v480", 0)
        assert await opened.service.presentation("0" * 32) is None


async def test_background_fills_every_segment_draws_artwork_and_says_so_once(room: Room) -> None:
    async with room.open(fill=True) as opened:
        presentation = await planned(room, opened)
        complete = await opened.fact(PresentationComplete)
        assert complete == PresentationComplete(SOURCE_ID, presentation.id)
        drawn = await opened.fact(ArtworkReady)
        assert isinstance(drawn, ArtworkReady)
        for key in (drawn.poster_key, drawn.backdrop_key):
            assert (await opened.blobs.get(key)).startswith(b"\xff\xd8\xff")
        assert await opened.service.readiness(presentation.id) == {"v480": (4, 4), "a0": (4, 4)}
        assert opened.watcher.seen[-1] == {
            "source_id": SOURCE_ID,
            "presentation_id": presentation.id,
            "renditions": {"v480": [4, 4], "a0": [4, 4]},
            "complete": True,
        }
    async with room.open(fill=True) as opened:
        await asyncio.sleep(0.2)
        kinds = [type(fact) for fact in await opened.facts()]
        assert len(kinds) == len(set(kinds)) == 4


async def test_pictures_for_the_seek_bar_are_there_once_they_are_announced_and_serve_a_twin_at_once(room: Room) -> None:
    async with room.open(fill=True) as opened:
        presentation = await planned(room, opened)
        fact = await opened.fact(ExtrasReady)
        assert isinstance(fact, ExtrasReady)
        assert fact.extras == await opened.service.extras(presentation.id)
        board = fact.extras.storyboard
        assert board is not None
        assert (board.tiles, board.sheets) == (5, 1)
        give = opened.service.extra
        assert (await give(presentation.id, "storyboard/0.jpg")).startswith(b"\xff\xd8\xff")
        with pytest.raises(NotFound):
            await give(presentation.id, "storyboard/1.jpg")
    async with room.open() as opened:
        # Nothing is filled: what the other source has is all there can be.
        await opened.service.on_source_ready(replace(room.ready, source_id=TWIN_ID))
        told = [fact for fact in await opened.facts() if fact.key == TWIN_ID]
        assert [type(fact) for fact in told] == [PresentationPlayable, ExtrasReady, ArtworkReady]


async def test_restart_goes_on_where_the_blob_store_says(room: Room) -> None:
    async with room.open() as opened:
        presentation = await planned(room, opened)
        kept = await opened.service.segment(presentation.id, "v480", 2)
        second = presentation.video[0].boundaries[2] / presentation.video[0].timescale
        assert await opened.service.prompt(presentation.id, second) == {"v480"}
        assert await opened.service.prompt(presentation.id, 0) == frozenset()
        # Its worker may be ahead of the player by now.
        (made, _), sound = (await opened.service.readiness(presentation.id)).values()
        assert (made in (1, 2), sound) == (True, (0, 4))
    async with room.open() as opened:
        assert await opened.service.prompt(presentation.id, second) == {"v480"}
    async with room.open(fill=True) as opened:
        await opened.fact(PresentationComplete)
        assert await opened.service.segment(presentation.id, "v480", 2) == kept
        assert await opened.service.readiness(presentation.id) == {"v480": (4, 4), "a0": (4, 4)}


async def test_segments_and_inits_that_a_power_cut_left_empty_are_made_again(room: Room) -> None:
    async with room.open() as opened:
        presentation = await planned(room, opened)
        init = await opened.service.init(presentation.id, "v480")
        for index in (1, 2):
            await opened.blobs.put(segment_key(presentation.id, "v480", index), b"")
        await opened.blobs.put(init_key(presentation.id, "v480"), b"")
    async with room.open(fill=True) as opened:
        assert await opened.service.init(presentation.id, "v480") == init
        made = await opened.service.segment(presentation.id, "v480", 2)
        await opened.fact(PresentationComplete)
        assert made == await opened.blobs.get(segment_key(presentation.id, "v480", 2))
        assert await opened.blobs.get(segment_key(presentation.id, "v480", 1))


async def test_removed_source_leaves_nothing_behind(room: Room) -> None:
    async with room.open(fill=True) as opened:
        presentation = await planned(room, opened)
        await opened.service.segment(presentation.id, "v480", 0)
        await opened.service.on_source_removed(SourceRemoved(SOURCE_ID))
        await opened.service.on_source_removed(SourceRemoved(SOURCE_ID))
        assert await opened.service.presentation(presentation.id) is None
        await asyncio.sleep(0.5)
        assert await opened.keys("presentations") == set()
        assert await opened.keys("artwork") == set()


async def test_killed_worker_costs_a_waiting_player_nothing_but_time(room: Room) -> None:
    async with room.open() as opened:
        presentation = await planned(room, opened)
        (worker,) = opened.service.pool.pids()
        os.kill(worker, signal.SIGSTOP)
        waiting = asyncio.create_task(opened.service.segment(presentation.id, "v480", 1))
        await asyncio.sleep(0.2)
        os.kill(worker, signal.SIGKILL)
        assert await waiting == await opened.blobs.get(segment_key(presentation.id, "v480", 1))
        assert opened.service.pool.pids() != [worker]


async def test_hanging_worker_is_replaced_after_its_time(room: Room) -> None:
    async with room.open(job_timeout_seconds=4.0) as opened:
        presentation = await planned(room, opened)
        (worker,) = opened.service.pool.pids()
        os.kill(worker, signal.SIGSTOP)
        assert await opened.service.segment(presentation.id, "v480", 1)
        assert opened.service.pool.pids() != [worker]


async def test_segments_that_nobody_waits_for_any_more_are_not_made(room: Room) -> None:
    async with room.open() as opened:
        presentation = await planned(room, opened)
        (worker,) = opened.service.pool.pids()
        os.kill(worker, signal.SIGSTOP)
        last = asyncio.create_task(opened.service.segment(presentation.id, "v480", 3))
        await asyncio.sleep(0.1)
        left = asyncio.create_task(opened.service.segment(presentation.id, "v480", 0))
        await asyncio.sleep(0.1)
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
        os.kill(worker, signal.SIGCONT)
        assert await last
        await asyncio.sleep(0.5)
        assert await opened.service.readiness(presentation.id) == {"v480": (1, 4), "a0": (0, 4)}
        assert await opened.service.segment(presentation.id, "v480", 0)


async def ready(opened: OpenRoom, presentation: Presentation, rendition: str, count: int) -> None:
    """Return once so many segments exist; the test's own time limit ends it otherwise."""
    while True:
        if (await opened.service.readiness(presentation.id))[rendition][0] >= count:
            return
        await asyncio.sleep(0.02)


async def test_worker_goes_on_ahead_of_the_viewer_whose_segment_it_has_made(room: Room) -> None:
    async with room.open() as opened:
        presentation = await planned(room, opened)
        assert await opened.service.segment(presentation.id, "v480", 0, viewer="anna")
        await ready(opened, presentation, "v480", 4)


async def test_what_was_being_made_for_the_place_that_a_viewer_has_left_is_given_up(room: Room) -> None:
    async with room.open() as opened:
        presentation = await planned(room, opened)
        (worker,) = opened.service.pool.pids()
        left = asyncio.create_task(opened.service.segment(presentation.id, "v480", 0, viewer="anna"))
        await asyncio.sleep(0)
        os.kill(worker, signal.SIGSTOP)
        await asyncio.sleep(0.1)
        left.cancel()  # as the browser does when somebody seeks
        await asyncio.gather(left, return_exceptions=True)
        sought = asyncio.create_task(opened.service.segment(presentation.id, "v480", 3, viewer="anna"))
        await asyncio.sleep(0.1)
        os.kill(worker, signal.SIGCONT)
        assert await sought
        assert await opened.service.readiness(presentation.id) == {"v480": (1, 4), "a0": (0, 4)}
        assert opened.service.pool.pids() == [worker]


async def test_run_that_only_makes_ahead_gives_way_to_somebody_who_waits(room: Room) -> None:
    async with room.open() as opened:
        presentation = await planned(room, opened)
        assert await opened.service.segment(presentation.id, "v480", 0, viewer="anna")
        # The only urgent worker is at work, or rests, for anna; ben waits for nothing of hers.
        assert await opened.service.segment(presentation.id, "a0", 2, viewer="ben")


async def test_full_queue_says_busy(room: Room) -> None:
    async with room.open(queue_limit=1) as opened:
        presentation = await planned(room, opened)
        waiting = asyncio.create_task(opened.service.segment(presentation.id, "v480", 0))
        await asyncio.sleep(0)
        (worker,) = opened.service.pool.pids()
        os.kill(worker, signal.SIGSTOP)
        await asyncio.sleep(0.1)
        with pytest.raises(Busy, match="Too many segments"):
            await opened.service.segment(presentation.id, "a0", 0)
        os.kill(worker, signal.SIGCONT)
        assert await waiting


async def test_segment_of_a_lost_source_is_busy_with_a_reason(room: Room) -> None:
    async with room.open() as opened:
        presentation = await planned(room, opened)
        await opened.blobs.delete(BLOB_KEY)
        with pytest.raises(Busy, match="the source's bytes are not in the blob store"):
            await opened.service.segment(presentation.id, "v480", 0)


async def test_lost_init_segment_is_made_again(room: Room) -> None:
    async with room.open() as opened:
        presentation = await planned(room, opened)
        before = await opened.service.init(presentation.id, "v480")
        await opened.blobs.delete(init_key(presentation.id, "v480"))
        assert await opened.service.init(presentation.id, "v480") == before


@pytest.mark.parametrize("left", [slice(0, 400), slice(0, 0)], ids=["half", "zeros"])
async def test_damaged_init_segment_is_never_served_and_is_made_again(room: Room, left: slice) -> None:
    async with room.open() as opened:
        presentation = await planned(room, opened)
        key = init_key(presentation.id, "v480")
        before = await opened.service.init(presentation.id, "v480")
        await opened.blobs.put(key, before[left] or bytes(len(before)))
        assert await opened.service.init(presentation.id, "v480") == before
        assert await opened.blobs.get(key) == before


async def test_closed_room_has_no_processes_left(room: Room) -> None:
    async with room.open(fill=True) as opened:
        presentation = await planned(room, opened)
        waiting = asyncio.create_task(opened.service.segment(presentation.id, "v480", 3))
        await asyncio.sleep(0.1)
        workers = opened.service.pool.pids()
    assert workers
    await asyncio.gather(waiting, return_exceptions=True)
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)


async def test_film_whose_last_segments_players_had_made_is_complete_for_several_workers_too(room: Room) -> None:
    async with room.open() as opened:
        presentation = await planned(room, opened)
        for rendition in presentation.renditions:
            for index in range(rendition.segments):
                await opened.service.segment(presentation.id, rendition.name, index)
    async with room.open(fill=True, background_workers=2) as opened, asyncio.timeout(20):
        assert await opened.fact(PresentationComplete) == PresentationComplete(SOURCE_ID, presentation.id)


@pytest.fixture
def long_room(tmp_path: Path, room: Room) -> Room:
    room.take(
        write(Clip("long.mp4", seconds=200, rate=Fraction(10), options=(*Clip("").options, ("g", "200"))), tmp_path)
    )
    return room


async def test_long_film_in_the_making_lets_a_short_one_go_first(
    long_room: Room, film: Path, film_report: SourceReport
) -> None:
    room = long_room
    short = SourceReady(TWIN_ID, "cd" * 32, "sources/short", film_report)
    async with room.open(fill=True) as opened, asyncio.timeout(60):
        await opened.blobs.put_file(short.blob_key, film)
        presentation = await planned(room, opened)
        # Its only run is far beyond what is made for a film's first look.
        while (await opened.service.readiness(presentation.id))["v480"][0] < 10:  # noqa: ASYNC110 - it is counted elsewhere
            await asyncio.sleep(0.01)
        await opened.service.on_source_ready(short)
        fact = await opened.fact(PresentationComplete)
        assert fact.key == TWIN_ID
        assert await opened.fact(PresentationComplete, 2) == PresentationComplete(SOURCE_ID, presentation.id)


async def test_outlook_has_an_estimate_once_enough_was_measured_and_says_why_a_film_waits(room: Room) -> None:
    async with room.open(fill=True, background_workers=0, segment_seconds=(0.5,)) as opened:
        presentation = await planned(room, opened)
        outlook = await opened.service.outlook(presentation.id)
        assert outlook.seconds_left is None
        assert "no background workers" in outlook.waits_for
    async with room.open(fill=True, segment_seconds=(0.5,)) as opened:
        looks = []
        whole = sum(rendition.segments for rendition in presentation.renditions)
        while await ready_in(opened, presentation.id) != whole:
            looks.append(await opened.service.outlook(presentation.id))
            await asyncio.sleep(0.02)
        assert (looks[0].seconds_left, looks[0].renditions) == (None, {})
        known = [look for look in looks if look.seconds_left is not None]
        assert known
        assert all(0 < look.made <= 1 for look in known)
        assert [look.made for look in looks] == sorted(look.made for look in looks)
        assert all(0 <= seconds < 60 for look in known for seconds in look.renditions.values())
        assert all((look.seconds_left or 0) >= max(look.renditions.values(), default=0) for look in known)
        assert {name for look in known for name in look.renditions} == {"v480", "a0"}
        await opened.fact(PresentationComplete)
        assert await opened.service.outlook("0" * 32) == Outlook()


async def ready_in(opened: OpenRoom, presentation_id: str) -> int:
    return sum(ready for ready, _ in (await opened.service.readiness(presentation_id)).values())
