from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ottserver.errors import Busy
from ottserver.events import PresentationComplete, PresentationPlayable
from ottserver.ingest.probe import probe
from ottserver.media import AacPackets
from ottserver.transcode.models import LadderStep
from tests.transcode.clips import Clip, Sound, numbers_in, packets_of, write
from tests.transcode.room import BLOB_KEY, Room

if TYPE_CHECKING:
    from pathlib import Path

    from ottserver.media import Presentation
    from tests.transcode.room import OpenRoom

X264 = (("preset", "veryfast"), ("bf", "3"), ("g", "50"), ("sc_threshold", "0"))
FILM = Clip("film.mp4", seconds=8, size=(320, 180), options=X264, sounds=(Sound(),))
LADDER = (LadderStep("v90", 160, 90, 200_000, 28), LadderStep("v180", 320, 180, 800_000, 28))


async def planned(room: Room, opened: OpenRoom) -> Presentation:
    await opened.service.on_source_ready(room.ready)
    fact = await opened.fact(PresentationPlayable)
    assert isinstance(fact, PresentationPlayable)
    return fact.presentation


@pytest.fixture
def copied(tmp_path: Path) -> Room:
    """A film that is its own top rung where the ladder has its size."""
    film = write(FILM, tmp_path)
    return Room(tmp_path, film, probe(film))


async def test_copy_is_ready_at_once_and_never_stored(copied: Room, tmp_path: Path) -> None:
    async with copied.open(fill=True, ladder=LADDER) as opened:
        presentation = await planned(copied, opened)
        lower, top = presentation.video
        assert (lower.copied, top.copied, lower.boundaries) == (False, True, top.boundaries)
        assert (await opened.service.readiness(presentation.id))["v180"] == (4, 4)
        await opened.fact(PresentationComplete)
        parts = await asyncio.gather(*(opened.service.segment(presentation.id, "v180", n) for n in range(4)))
        init = await opened.service.init(presentation.id, "v180")
        stored = await opened.keys(f"presentations/{presentation.id}/v180")
        assert stored == {f"presentations/{presentation.id}/v180/init.mp4"}
        # Lost, it is made again from the source.
        await opened.blobs.delete(f"presentations/{presentation.id}/v180/init.mp4")
        assert await opened.service.init(presentation.id, "v180") == init
    whole = tmp_path / "whole.mp4"
    whole.write_bytes(init + b"".join(parts))
    assert numbers_in(whole) == list(range(200))


async def test_copied_sound_is_ready_at_once_and_never_stored(copied: Room, tmp_path: Path) -> None:
    async with copied.open(fill=True) as opened:
        presentation = await planned(copied, opened)
        (sound,) = presentation.audio
        assert sound.copied
        assert (await opened.service.readiness(presentation.id))["a0"] == (4, 4)
        await opened.fact(PresentationComplete)
        init = await opened.service.init(presentation.id, "a0")
        parts = await asyncio.gather(*(opened.service.segment(presentation.id, "a0", n) for n in range(4)))
        folder = f"presentations/{presentation.id}/a0"
        assert await opened.keys(folder) == {f"{folder}/init.mp4"}
        await opened.blobs.delete(f"{folder}/init.mp4")
        assert await opened.service.init(presentation.id, "a0") == init
    whole = tmp_path / "whole.mp4"
    whole.write_bytes(init + b"".join(parts))
    begin, end = sound.boundaries[0], sound.boundaries[-1]
    assert [pts for pts, _, _ in packets_of(whole)["audio"]] == list(range(begin, end, 1024))


async def test_film_of_which_nothing_is_encoded_is_complete_at_once(copied: Room) -> None:
    async with copied.open(fill=True, ladder=LADDER[1:]) as opened:
        presentation = await planned(copied, opened)
        assert all(rendition.copied for rendition in presentation.renditions)
        await opened.fact(PresentationComplete)
        assert await opened.service.segment(presentation.id, "a0", 2)


@pytest.fixture
def misheard(tmp_path: Path) -> Room:
    """A film whose sound is not what its report says."""
    film = write(replace(FILM, name="film.mkv", sounds=(Sound(codec="libmp3lame"),)), tmp_path)
    report = probe(film)
    claimed = replace(report.audio[0], aac=AacPackets(phase=0, bitrate=128_000, peak=160_000))
    return Room(tmp_path, film, replace(report, audio=(claimed,)))


async def test_sound_that_proves_not_to_be_what_the_probe_said_is_encoded(misheard: Room) -> None:
    async with misheard.open() as opened:
        presentation = await planned(misheard, opened)
        assert [(rendition.name, rendition.copied) for rendition in presentation.renditions] == [
            ("v480", False),
            ("a0", False),
        ]
        assert await opened.service.segment(presentation.id, "a0", 0)


async def test_original_is_beside_a_whole_ladder(copied: Room) -> None:
    async with copied.open() as opened:
        presentation = await planned(copied, opened)
        assert [rung.name for rung in presentation.video] == ["v480"]
        original = presentation.original
        assert original is not None
        assert (original.name, original.width, original.copied) == ("original", 320, True)
        assert await opened.service.segment(presentation.id, "original", 3)


@pytest.fixture
def mistaken(tmp_path: Path) -> Room:
    """A film that cannot be cut where its report says that it can."""
    film = write(replace(FILM, options=(*X264[:1], ("x264-params", "open-gop=1:keyint=50:bframes=3"))), tmp_path)
    report = probe(film)
    assert not report.video.closed
    claimed = replace(report.video, closed=True, keys=(0, 60, 120), key_bytes=(9000,) * 3)
    return Room(tmp_path, film, replace(report, video=claimed))


async def test_source_that_proves_not_to_be_what_the_probe_said_is_encoded(mistaken: Room) -> None:
    async with mistaken.open() as opened:
        presentation = await planned(mistaken, opened)
        assert [rendition.name for rendition in presentation.renditions] == ["v480", "a0"]
        assert await opened.service.segment(presentation.id, "v480", 0)


async def test_segment_of_a_lost_source_is_refused_for_now(copied: Room) -> None:
    async with copied.open(ladder=LADDER) as opened:
        presentation = await planned(copied, opened)
        await opened.blobs.delete(BLOB_KEY)
        with pytest.raises(Busy, match="could not be cut from the source"):
            await opened.service.segment(presentation.id, "v180", 1)


async def test_copy_needs_no_encoding_wherever_a_player_begins(copied: Room) -> None:
    async with copied.open(ladder=LADDER) as opened:
        presentation = await planned(copied, opened)
        assert await opened.service.prompt(presentation.id, 5.0) == {"v180"}
