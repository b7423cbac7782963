from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import m3u8
import pytest
from hypothesis import given, strategies as st
from mpegdash.parser import MPEGDASHParser

from ottserver.delivery.dash import mpd
from ottserver.delivery.hls import master_playlist, media_playlist
from ottserver.delivery.ladder import ceiling, rungs
from ottserver.delivery.text import hls_playlist
from tests.delivery.films import BOARD, presentation, rung, subtitles, track

if TYPE_CHECKING:
    from pathlib import Path

NS = {"d": "urn:mpeg:dash:schema:mpd:2011"}


def starts(template: ET.Element) -> list[int]:
    """The boundaries that a SegmentTemplate's timeline stands for, its end included."""
    found: list[int] = []
    time = 0
    for entry in template.findall("d:SegmentTimeline/d:S", NS):
        time = int(entry.get("t", time))
        for _ in range(int(entry.get("r", 0)) + 1):
            found.append(time)
            time += int(entry.attrib["d"])
    return [*found, time]


def test_master_playlist_announces_every_rung_with_what_a_player_chooses_by() -> None:
    film = presentation()
    master = m3u8.loads(master_playlist(film, 2160))
    assert master.is_variant
    assert master.is_independent_segments
    infos = [playlist.stream_info for playlist in master.playlists]
    assert [info.resolution for info in infos] == [(853, 480), (1280, 720), (1920, 1080)]
    assert [info.bandwidth for info in infos] == [480 * 4000 + 140_000, 720 * 4000 + 140_000, 1080 * 4000 + 140_000]
    assert infos[0].average_bandwidth == 480 * 2500 + 128_000
    assert {info.codecs for info in infos} == {"avc1.64001f,mp4a.40.2"}
    assert {info.frame_rate for info in infos} == {23.976}
    assert master.playlists[0].uri == f"{film.id}/v480/media.m3u8"
    tracks = [(media.language, media.name, media.default, media.channels) for media in master.media]
    assert tracks == [("en", "English", "YES", "2"), ("fr", "Français", "NO", "2")]
    assert {info.audio for info in infos} == {master.media[0].group_id}


@pytest.mark.parametrize(("height", "kept"), [(2160, 3), (1080, 3), (1079, 2), (720, 2), (480, 1), (144, 1)])
def test_manifests_are_cut_to_the_plan_and_never_empty(height: int, kept: int) -> None:
    film = presentation()
    assert len(m3u8.loads(master_playlist(film, height)).playlists) == kept
    shown = ET.fromstring(mpd(film, height)).findall(".//d:Representation[@height]", NS)  # noqa: S314 - our own XML
    assert len(shown) == kept


def test_lowest_rung_above_the_plan_is_the_one_that_plays() -> None:
    film = presentation(rung(1080), rung(2160))
    assert [r.name for r in rungs(film, 720)] == ["v1080"]
    assert ceiling(film, 720) == 1080
    assert film.needed_height(film.renditions[0]) == 0
    assert film.needed_height(film.renditions[1]) == 2160


def test_film_without_sound_has_no_audio_group() -> None:
    master = m3u8.loads(master_playlist(presentation(rung(480)), 480))
    assert not master.media
    assert master.playlists[0].stream_info.codecs == "avc1.64001f"
    assert master.playlists[0].stream_info.audio is None


def test_tracks_of_different_codecs_are_in_groups_of_their_own() -> None:
    film = presentation(rung(480), track("a0", "en"), track("a1", "en", codecs="ec-3"))
    master = m3u8.loads(master_playlist(film, 480))
    assert [(p.stream_info.codecs, p.stream_info.audio) for p in master.playlists] == [
        ("avc1.64001f,mp4a.40.2", "audio0"),
        ("avc1.64001f,ec-3", "audio1"),
    ]


def test_each_group_has_one_default_and_names_of_its_own() -> None:
    film = presentation(
        rung(480), track("a0", "und"), track("a1", "und"), track("a2", "en", "En"), track("a3", "en", "En")
    )
    media = m3u8.loads(master_playlist(film, 480)).media
    assert [entry.default for entry in media] == ["YES", "NO", "NO", "NO"]
    assert [entry.name for entry in media] == ["Audio", "Audio 2", "En", "En 2"]
    assert media[0].language is None


@given(st.text(max_size=40))
def test_no_label_can_break_a_manifest(label: str) -> None:
    film = presentation(rung(480), track("a0", "en", label, default=True))
    text = master_playlist(film, 480)
    assert len(text.splitlines()) == 6
    assert len(m3u8.loads(text).media) == 1
    document = ET.fromstring(mpd(film, 480))  # noqa: S314 - our own XML
    assert len(document.findall(".//d:AdaptationSet", NS)) == 2


def test_media_playlist_is_whole_and_its_durations_add_up() -> None:
    film = presentation()
    for rendition in film.renditions:
        text = media_playlist(rendition)
        playlist = m3u8.loads(text)
        assert playlist.is_endlist
        assert playlist.playlist_type == "vod"
        assert playlist.media_sequence == 0
        assert playlist.segment_map[0].uri == "init.mp4"
        assert [segment.uri for segment in playlist.segments] == ["0.m4s", "1.m4s", "2.m4s"]
        total = sum(Decimal(number) for number in re.findall(r"#EXTINF:([0-9.]+),", text))
        assert total == Decimal(rendition.boundaries[-1]) / rendition.timescale
        assert all(round(segment.duration) <= playlist.target_duration for segment in playlist.segments)


@given(st.lists(st.integers(1, 400_000), min_size=1, max_size=300))
def test_no_rounding_adds_up_over_a_film(steps: list[int]) -> None:
    boundaries = (0, *(sum(steps[: n + 1]) for n in range(len(steps))))
    text = media_playlist(rung(480, boundaries=boundaries, name="v"))
    ends = Fraction(0)
    for number, end in zip(re.findall(r"#EXTINF:([0-9.]+),", text), boundaries[1:], strict=True):
        ends += Fraction(number)
        assert abs(ends - Fraction(end, 24000)) <= Fraction(1, 2_000_000)


def test_mpd_says_the_same_boundaries_in_runs() -> None:
    film = presentation()
    document = ET.fromstring(mpd(film, 1080))  # noqa: S314 - our own XML
    assert document.get("type") == "static"
    assert document.get("mediaPresentationDuration") == "PT5.5055S"
    sets = document.findall("d:Period/d:AdaptationSet", NS)
    assert [(s.get("contentType"), s.get("mimeType"), s.get("lang")) for s in sets] == [
        ("video", "video/mp4", None),
        ("audio", "audio/mp4", "en"),
        ("audio", "audio/mp4", "fr"),
    ]
    assert [label.text for label in document.findall(".//d:Label", NS)] == ["English", "Français"]
    for adaptation, rendition in zip(sets, (film.renditions[0], *film.renditions[3:]), strict=True):
        template = adaptation.find("d:SegmentTemplate", NS)
        assert template is not None
        assert int(template.attrib["timescale"]) == rendition.timescale
        assert template.attrib["startNumber"] == "0"
        assert template.attrib["presentationTimeOffset"] == "0"
        assert template.attrib["media"] == f"{film.id}/$RepresentationID$/$Number$.m4s"
        assert starts(template) == list(rendition.boundaries)
    runs = sets[0].findall(".//d:S", NS)
    assert [run.attrib for run in runs] == [{"t": "0", "d": "48048", "r": "1"}, {"d": "36036"}]
    frame_rates = {r.get("frameRate") for r in sets[0].findall("d:Representation", NS)}
    assert frame_rates == {"24000/1001"}
    channels = sets[1].find(".//d:AudioChannelConfiguration", NS)
    assert channels is not None
    assert channels.get("value") == "2"


def test_rungs_on_grids_of_their_own_have_timelines_of_their_own() -> None:
    film = presentation(rung(480), rung(1080, boundaries=(0, 60060, 132132)))
    document = ET.fromstring(mpd(film, 1080))  # noqa: S314 - our own XML
    templates = document.findall(".//d:Representation/d:SegmentTemplate", NS)
    assert [starts(template) for template in templates] == [list(r.boundaries) for r in film.renditions]


def test_mpd_is_read_by_an_independent_parser() -> None:
    document = MPEGDASHParser.parse(mpd(presentation(), 720, (), BOARD).decode())
    sets = document.periods[0].adaptation_sets
    assert [r.height for r in sets[0].representations] == [480, 720]
    assert sets[1].representations[0].codecs == "mp4a.40.2"


async def parsed(node: Path, manifests: dict[str, str]) -> Any:  # noqa: ANN401 - JSON
    """What the players' own parsers find in them."""
    process = await asyncio.create_subprocess_exec(
        node,
        "tests/delivery/parse_manifests.mjs",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(json.dumps(manifests).encode())
    assert process.returncode == 0, err.decode()
    return json.loads(out)


async def test_players_parsers_agree_with_the_grid(node: Path) -> None:
    film = presentation()
    manifests = {
        "master": master_playlist(film, 720, WORDS, BOARD),
        "media": media_playlist(film.renditions[0]),
        "mpd": mpd(film, 720, WORDS, BOARD).decode(),
    }
    found = await parsed(node, manifests)
    assert found["hls"]["heights"] == [480, 720]
    assert found["hls"]["audio"] == [["en", "English", True, "2"], ["fr", "Français", False, "2"]]
    assert found["hls"]["endlist"]
    boundaries = film.renditions[0].boundaries
    assert found["hls"]["durations"] == [(end - start) / 24000 for start, end in pairwise(boundaries)]
    assert found["dash"]["duration"] == 5.5055
    assert sorted(found["dash"]["heights"]) == [480, 720]
    base = f"http://host/media/t/v/{film.id}/v480"
    assert found["dash"]["segments"] == [f"{base}/{index}.m4s" for index in range(3)]
    assert found["dash"]["init"] == f"{base}/init.mp4"
    assert found["dash"]["audio"] == ["en", "fr"]
    names = ["English (SDH)", "English (forced)", "Subtitles", "Deutsch"]
    assert found["hls"]["subtitles"] == names
    assert found["dash"]["subtitles"] == {
        name: f"http://host/media/t/v/{film.id}/{track.name}/subtitles.vtt"
        for name, track in zip(names, WORDS, strict=True)
    }


async def test_players_parsers_take_sound_that_begins_after_the_picture(node: Path) -> None:
    boundaries = (240, 240 + 94 * 1024, 240 + 187 * 1024, 240 + 258 * 1024)
    sound = replace(track("a0", "en", "English", default=True), boundaries=boundaries, copied=True)
    film = presentation(rung(480), sound)
    manifests = {
        "master": master_playlist(film, 480, WORDS),
        "media": media_playlist(sound),
        "mpd": mpd(film, 480, WORDS).decode(),
    }
    found = await parsed(node, manifests)
    lengths = [round((end - start) / 48000, 6) for start, end in pairwise(boundaries)]
    assert found["hls"]["durations"] == lengths
    assert found["dash"]["sound"] == [[start / 48000, (end - start) / 48000] for start, end in pairwise(boundaries)]
    template = ET.fromstring(mpd(film, 480)).findall(".//d:SegmentTemplate", NS)[1]  # noqa: S314 - our own XML
    assert starts(template) == list(boundaries)


WORDS = (
    subtitles("s0-aa", "en", "hearing_impaired", label="English"),
    subtitles("s1-bb", "en", "forced", label="English"),
    subtitles("s2-cc", "und"),
    subtitles("s3-dd", "de", "default", label="Deutsch"),
)


def test_master_playlist_lists_subtitles_with_what_viewers_choose_by() -> None:
    film = presentation()
    master = m3u8.loads(master_playlist(film, 2160, WORDS))
    texts = [media for media in master.media if media.type == "SUBTITLES"]
    assert [(m.language, m.name, m.forced, m.default) for m in texts] == [
        ("en", "English (SDH)", "NO", "NO"),
        ("en", "English (forced)", "YES", "NO"),
        (None, "Subtitles", "NO", "NO"),
        ("de", "Deutsch", "NO", "YES"),
    ]
    assert "describes-music-and-sound" in texts[0].characteristics
    assert [m.uri for m in texts] == [f"{film.id}/{track.name}/media.m3u8" for track in WORDS]
    assert {playlist.stream_info.subtitles for playlist in master.playlists} == {texts[0].group_id}
    playlist = m3u8.loads(hls_playlist(film.duration_seconds))
    assert [(s.uri, s.duration) for s in playlist.segments] == [("subtitles.vtt", 5.5055)]
    assert playlist.is_endlist


def test_mpd_lists_subtitles_with_their_roles() -> None:
    film = presentation()
    sets = MPEGDASHParser.parse(mpd(film, 720, WORDS).decode()).periods[0].adaptation_sets[3:]
    assert [(s.mime_type, s.lang, [role.value for role in s.roles]) for s in sets] == [
        ("text/vtt", "en", ["caption"]),
        ("text/vtt", "en", ["forced-subtitle"]),
        ("text/vtt", None, ["subtitle"]),
        ("text/vtt", "de", ["subtitle", "main"]),
    ]
    assert sets[0].representations[0].base_urls[0].base_url_value == f"{film.id}/s0-aa/subtitles.vtt"
    assert len({s.id for s in MPEGDASHParser.parse(mpd(film, 720, WORDS).decode()).periods[0].adaptation_sets}) == 7
