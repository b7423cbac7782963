from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ottserver.errors import Invalid, NotFound
from ottserver.events import ExtrasReady, SourceRemoved, SubtitlesChanged
from ottserver.transcode.sidecars import Words
from tests.transcode.room import SOURCE_ID
from tests.transcode.test_service import planned

if TYPE_CHECKING:
    from tests.transcode.room import OpenRoom, Room

SRT = b"1\n00:00:01,000 --> 00:00:02,000\nHello\n"
ENGLISH = Words("eng")


async def digested(opened: OpenRoom) -> None:
    """Let the room read its own facts, as the bus would."""
    for fact in await opened.facts():
        if isinstance(fact, SubtitlesChanged):
            await opened.service.on_subtitles_changed(fact)


async def last_extras(opened: OpenRoom) -> ExtrasReady:
    return [fact for fact in await opened.facts() if isinstance(fact, ExtrasReady)][-1]


async def test_file_brought_before_the_film_is_planned_is_announced_with_it(room: Room) -> None:
    async with room.open() as opened:
        track, new = await opened.service.sidecars.add(SOURCE_ID, SRT, ENGLISH)
        await digested(opened)
        presentation = await planned(room, opened)
        assert new
        assert (track.language, track.label, track.codec) == ("en", "English", "subrip")
        assert (await last_extras(opened)).extras.shown == (track,)
        assert (await opened.service.extras(presentation.id)).shown == (track,)
        served = await opened.service.subtitle(presentation.id, track.name)
        assert b"00:00:01.000 --> 00:00:02.000\nHello" in served


async def test_file_brought_later_is_there_at_once_and_after_a_restart_until_it_is_taken_away(room: Room) -> None:
    async with room.open() as opened:
        presentation = await planned(room, opened)
        track, _ = await opened.service.sidecars.add(SOURCE_ID, SRT, Words("fr", "Commentaire", forced=True))
        await digested(opened)
        assert (await opened.service.extras(presentation.id)).shown == (track,)
    async with room.open() as opened:
        assert (await opened.service.extras(presentation.id)).shown == (track,)
        await opened.service.sidecars.remove(SOURCE_ID, track.name)
        await digested(opened)
        assert (await last_extras(opened)).extras.shown == ()
        assert (await opened.service.extras(presentation.id)).shown == ()
        with pytest.raises(NotFound):
            await opened.service.subtitle(presentation.id, track.name)
        with pytest.raises(NotFound):
            await opened.service.sidecars.remove(SOURCE_ID, track.name)
        assert await opened.keys("subtitles") == set()


async def test_same_file_twice_is_one_track_and_completes_what_a_crash_left(room: Room) -> None:
    async with room.open() as opened:
        first, new = await opened.service.sidecars.add(SOURCE_ID, SRT, ENGLISH)
        (key,) = await opened.keys("subtitles")
        await opened.blobs.delete(key)
        again, newer = await opened.service.sidecars.add(SOURCE_ID, SRT, ENGLISH)
        assert (first, new, newer) == (again, True, False)
        assert await opened.keys("subtitles") == {key}
        other, _ = await opened.service.sidecars.add(SOURCE_ID, SRT, Words("en", hearing_impaired=True))
        assert other.name != first.name


async def test_what_is_no_subtitle_file_leaves_nothing_behind(room: Room) -> None:
    async with room.open() as opened:
        with pytest.raises(Invalid, match="no subtitles in a known text format"):
            await opened.service.sidecars.add(SOURCE_ID, b"\xff\xfe\x00", ENGLISH)
        with pytest.raises(Invalid, match="16 MB"):
            await opened.service.sidecars.add(SOURCE_ID, bytes(17 << 20), ENGLISH)
        assert await opened.facts() == []
        assert await opened.keys("subtitles") == set()


async def test_subtitles_go_with_their_source(room: Room) -> None:
    async with room.open() as opened:
        await planned(room, opened)
        await opened.service.sidecars.add(SOURCE_ID, SRT, ENGLISH)
        await opened.service.on_source_removed(SourceRemoved(SOURCE_ID))
        assert await opened.keys("subtitles") == set()
        presentation = await planned(room, opened)
        assert (await opened.service.extras(presentation.id)).shown == ()
