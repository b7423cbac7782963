from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import m3u8
import pytest

from ottserver.delivery.dash import mpd
from ottserver.delivery.hls import master_playlist
from ottserver.delivery.tiles import hls_playlist, index
from ottserver.media import Storyboard
from tests.delivery.films import BOARD, presentation

NS = {"d": "urn:mpeg:dash:schema:mpd:2011"}
LONG = Storyboard(15.0, 480, 8, 8, 256, 144, 3000)


def seconds(stamp: str) -> float:
    """A WebVTT timestamp as seconds."""
    hours, minutes, rest = stamp.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


@pytest.mark.parametrize(("board", "length"), [(BOARD, 5.5055), (LONG, 7199.2), (replace(LONG, tiles=1), 0.04)])
def test_index_covers_the_whole_film_without_a_gap(board: Storyboard, length: float) -> None:
    text = index(board, length)
    assert text.startswith("WEBVTT\n\n")
    cues = re.findall(r"(\S+) --> (\S+)\n(\d+)\.jpg#xywh=(\d+),(\d+),(\d+),(\d+)\n", text)
    assert len(cues) == board.tiles
    starts, ends = [seconds(cue[0]) for cue in cues], [seconds(cue[1]) for cue in cues]
    assert starts == [0.0, *ends[:-1]]
    assert ends[-1] == pytest.approx(length, abs=0.001)
    places = {(int(sheet), int(x), int(y)) for _, _, sheet, x, y, _, _ in cues}
    assert len(places) == board.tiles
    assert all(x < board.columns * board.tile_width and y < board.rows * board.tile_height for _, x, y in places)
    assert {sheet for sheet, _, _ in places} == set(range(board.sheets))


def test_image_playlist_says_which_sheet_is_for_which_second() -> None:
    text = hls_playlist(LONG, 7199.2)
    assert "#EXT-X-IMAGES-ONLY" in text
    playlist = m3u8.loads(text)
    assert [segment.uri for segment in playlist.segments] == [f"{sheet}.jpg" for sheet in range(8)]
    assert sum(segment.duration for segment in playlist.segments) == pytest.approx(7199.2)
    assert playlist.target_duration == 960
    assert text.count("#EXT-X-TILES:RESOLUTION=256x144,LAYOUT=8x8,DURATION=15.000000") == 8


def test_manifests_name_the_sheets_and_are_the_same_without() -> None:
    film = presentation()
    with_board = m3u8.loads(master_playlist(film, 720, (), BOARD))
    (images,) = with_board.image_playlists
    assert images.uri == f"{film.id}/storyboard/images.m3u8"
    assert images.image_stream_info.resolution == (256, 144)
    assert not m3u8.loads(master_playlist(film, 720)).image_playlists
    document = ET.fromstring(mpd(film, 720, (), BOARD))  # noqa: S314 - our own XML
    pictured = document.find("d:Period/d:AdaptationSet[@contentType='image']", NS)
    assert pictured is not None
    template, representation = pictured.find("d:SegmentTemplate", NS), pictured.find("d:Representation", NS)
    assert template is not None
    assert representation is not None
    assert template.attrib["media"] == f"{film.id}/$RepresentationID$/$Number$.jpg"
    assert (template.attrib["timescale"], template.attrib["duration"]) == ("1000", "6000")
    assert (representation.attrib["width"], representation.attrib["height"]) == ("768", "144")
    ids = [one.get("id") for one in document.findall("d:Period/d:AdaptationSet", NS)]
    assert len(set(ids)) == len(ids)
