from __future__ import annotations

import asyncio
import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ottserver.events import ExtrasReady, PresentationComplete
from ottserver.ingest.probe import probe
from ottserver.media import extra_key
from ottserver.transcode import store
from ottserver.transcode.forms import EXTRAS
from ottserver.transcode.models import EncodingPlan
from ottserver.transcode.subtitles import subtitles
from tests.transcode.clips import Clip, write
from tests.transcode.test_service import planned

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transcode.room import Room

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Hello</i> & <font color="#ff8000">you</font>

2
00:00:02,000 --> 00:00:04,000
{\\an8}Above

3
00:00:08,000 --> 00:00:20,000
Longer than the film
"""
ASS = """[Script Info]
PlayResX: 1280
PlayResY: 720

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Sign,Arial,40,&H0000FFFF,&H0,&H0,&H0,-1,0,0,0,100,100,0,0,1,2,2,8,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:02.00,Sign,,0,0,0,,EXIT
Dialogue: 0,0:00:01.50,0:00:03.00,Default,,0,0,0,,{\\an1}Left
"""
VTT = "WEBVTT\n\n00:01.000 --> 00:02.000 line:0 align:left\n<v Roger>We &amp; us</v>\n"


def films(folder: Path, ffmpeg: Path, name: str, *words: str, first: int = 0) -> Path:
    """A film of nine seconds with subtitles, made by FFmpeg's command with these further arguments."""
    for ending, text in (("srt", SRT), ("ass", ASS), ("vtt", VTT)):
        (folder / f"w.{ending}").write_text(text)
    picture = write(Clip(f"picture{first}.mkv", seconds=9, size=(160, 90), first=first), folder)
    shift = ("-itsoffset", str(first / 25)) if first else ()
    made = folder / name
    inputs = [part for ending in ("srt", "ass", "vtt") for part in (*shift, "-i", str(folder / f"w.{ending}"))]
    command = [str(ffmpeg), "-v", "error", "-y", "-copyts", "-i", str(picture), *inputs, "-map", "0", "-c:v", "copy"]
    subprocess.run([*command, *words, str(made)], check=True, timeout=60)
    return made


def read(path: Path) -> tuple[list[dict[str, object]], list[str]]:
    """The tracks of a film and their files."""
    files: dict[str, str] = {}
    tracks: list[dict[str, object]] = []
    for about, data in subtitles(path, EncodingPlan(probe(path), (2.0,), (), ())):
        if "result" in about:
            tracks = about["result"]["tracks"]
        else:
            files[about["extra"].removesuffix(".vtt")] = data.decode()
    return tracks, [files.get(str(track["name"]), "") for track in tracks]


def cues(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^(\S+ --> \S+(?: [^\n]*)?)\n((?:.+\n?)+)", text, re.MULTILINE)


EXPECTED_SRT = [
    ("00:00:01.000 --> 00:00:02.500", "<i>Hello</i> &amp; <c.xff8000>you</c>\n"),
    ("00:00:02.000 --> 00:00:04.000 line:0", "Above\n"),
    ("00:00:08.000 --> 00:00:09.000", "Longer than the film\n"),
]


@pytest.mark.parametrize("first", [0, 125])
def test_every_text_track_becomes_a_file_with_times_from_the_first_picture(
    first: int, tmp_path: Path, ffmpeg: Path
) -> None:
    film = films(
        *(tmp_path, ffmpeg, "film.mkv", "-map", "1", "-map", "2", "-map", "3", "-c:s", "copy"),
        *("-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=ger", "-metadata:s:s:1", "title=Schilder"),
        *("-metadata:s:s:2", "title=English [SDH]", "-disposition:s:0", "0", "-disposition:s:1", "forced"),
        first=first,
    )
    assert (probe(film).video.origin == 0) == (first == 0)
    tracks, files = read(film)
    assert [(t["language"], t["label"], t["kind"], t["codec"]) for t in tracks] == [
        ("en", "English", "text", "subrip"),
        ("de", "Schilder", "text", "ass"),
        ("und", "English [SDH]", "text", "webvtt"),
    ]
    assert [(t["forced"], t["hearing_impaired"]) for t in tracks] == [(False, False), (True, False), (False, True)]
    assert cues(files[0]) == EXPECTED_SRT
    assert "::cue(.xff8000) { color: #ff8000; }" in files[0]
    assert cues(files[1]) == [
        ("00:00:01.000 --> 00:00:02.000 line:0", "<b><c.yellow>EXIT</c></b>\n"),
        ("00:00:01.500 --> 00:00:03.000 position:5% align:left", "Left\n"),
    ]
    assert cues(files[2]) == [("00:00:01.000 --> 00:00:02.000 line:0 align:left", "<v Roger>We &amp; us</v>\n")]


def test_timed_text_of_mp4_is_read(tmp_path: Path, ffmpeg: Path) -> None:
    film = films(tmp_path, ffmpeg, "film.mp4", "-map", "1", "-c:s", "mov_text", "-metadata:s:s:0", "language=fra")
    (track,), (text,) = read(film)
    assert (track["language"], track["label"], track["codec"]) == ("fr", "Français", "mov_text")
    assert [said.strip() for _, said in cues(text)][-2:] == ["Above", "Longer than the film"]
    assert cues(text)[0][0].startswith("00:00:01.000 --> ")
    assert cues(text)[0][1].startswith("<i>Hello</i> &amp; ")


def test_pictures_of_text_are_listed_as_such(tmp_path: Path, ffmpeg: Path) -> None:
    # A bitmap encoder wants pictures; the container is made to say so of what it holds.
    text = films(tmp_path, ffmpeg, "film.mkv", "-map", "1", "-c:s", "copy")
    data = text.read_bytes()
    image = tmp_path / "image.mkv"
    image.write_bytes(data.replace(b"S_TEXT/UTF8", b"S_HDMV/PGS\0"))
    (track,), (nothing,) = read(image)
    assert (track["kind"], track["codec"], track["name"]) == ("image", "hdmv_pgs_subtitle", "s0")
    assert nothing == ""


def test_damaged_film_gives_the_subtitles_that_are_left(tmp_path: Path, ffmpeg: Path) -> None:
    film = films(tmp_path, ffmpeg, "film.mkv", "-map", "1", "-c:s", "copy")
    data = bytearray(film.read_bytes())
    at = data.index(b"Above")
    data[at - 200 : at - 100] = bytes(100)
    film.write_bytes(data)
    tracks, (text,) = read(film)
    assert len(tracks) == 1
    assert "Longer than the film" in text


async def test_subtitles_of_a_film_are_announced_and_served_while_it_is_filled(
    room: Room, tmp_path: Path, ffmpeg: Path
) -> None:
    film = films(tmp_path, ffmpeg, "film.mkv", "-map", "1", "-c:s", "copy", "-metadata:s:s:0", "language=eng")
    await asyncio.to_thread(room.take, film)
    async with room.open(fill=True) as opened:
        presentation = await planned(room, opened)
        # Pictures for the seek bar come first.
        fact = await opened.fact(ExtrasReady, 2)
        assert isinstance(fact, ExtrasReady)
        (track,) = fact.extras.shown
        assert (await opened.service.extras(presentation.id)).shown == (track,)
        served = await opened.service.subtitle(presentation.id, track.name)
        assert cues(served.decode()) == EXPECTED_SRT
    # What was read is known after a restart, and not read again.
    async with room.open() as opened:
        assert (await opened.service.extras(presentation.id)).shown == (track,)
        assert len([fact for fact in await opened.facts() if isinstance(fact, ExtrasReady)]) == 2


async def test_subtitles_of_a_complete_film_that_a_crash_cut_off_are_read_at_the_next_start(
    room: Room, tmp_path: Path, ffmpeg: Path
) -> None:
    film = films(tmp_path, ffmpeg, "film.mkv", "-map", "1", "-c:s", "copy")
    await asyncio.to_thread(room.take, film)
    async with room.open(fill=True) as opened:
        presentation = await planned(room, opened)
        await opened.fact(PresentationComplete)
        extras = await opened.service.extras(presentation.id)
        (track,) = extras.shown
        # Another process had them in hand when this one made the last segment, and then died.
        await opened.blobs.delete(extra_key(presentation.id, f"{track.name}.vtt"))
        async with opened.database.writing() as work:
            cut_off = EXTRAS.dump_json(replace(extras, text=None)).decode()
            await store.keep_extras(work.connection, presentation.id, cut_off)
    async with room.open(fill=True) as opened:
        assert isinstance(await opened.fact(ExtrasReady, 3), ExtrasReady)
        served = await opened.service.subtitle(presentation.id, track.name)
        assert cues(served.decode()) == EXPECTED_SRT
        assert len([fact for fact in await opened.facts() if isinstance(fact, PresentationComplete)]) == 1
        async with opened.database.reading() as connection:
            assert await store.unfinished(connection) == []
