from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import m3u8
from mpegdash.parser import MPEGDASHParser

from ottserver.delivery.dash import mpd
from ottserver.delivery.hls import master_playlist
from tests.delivery.films import presentation, rung, track

if TYPE_CHECKING:
    from ottserver.media import Presentation

NS = {"d": "urn:mpeg:dash:schema:mpd:2011"}


def film() -> Presentation:
    """Two languages of which one has 5.1, a commentary, the picture told in words, and speech easier to hear."""
    return presentation(
        rung(480),
        rung(720),
        track("a0", "en", "English", default=True),
        track("a1", "de", "Deutsch"),
        track("a2", "en", "English · Commentary", purpose="commentary"),
        track("a3", "en", "English · Audio description", purpose="description"),
        track("a4", "en", "English · Clear dialogue", purpose="clear"),
        track("a1s", "de", "Deutsch", beside="a1"),
    )


def test_surround_is_a_group_of_its_own_with_the_same_members_after_stereo() -> None:
    made = film()
    master = m3u8.loads(master_playlist(made, 720))
    infos = [playlist.stream_info for playlist in master.playlists]
    assert [(info.resolution, info.audio, info.bandwidth) for info in infos] == [
        ((853, 480), "audio0", 480 * 4000 + 140_000),
        ((853, 480), "audio1", 480 * 4000 + 400_000),
        ((1280, 720), "audio0", 720 * 4000 + 140_000),
        ((1280, 720), "audio1", 720 * 4000 + 400_000),
    ]
    groups = {group: [media for media in master.media if media.group_id == group] for group in ("audio0", "audio1")}
    # RFC 8216 section 4.3.4.1.1: the members of all groups are the same but for URI and CHANNELS.
    same = [
        [(m.name, m.language, m.default, m.autoselect, m.characteristics) for m in members]
        for members in groups.values()
    ]
    assert same[0] == same[1]
    assert [m.channels for m in groups["audio0"]] == ["2"] * 5
    assert [m.channels for m in groups["audio1"]] == ["2", "6", "2", "2", "2"]
    assert [m.uri.split("/")[1] for m in groups["audio1"]] == ["a0", "a1s", "a2", "a3", "a4"]


def test_players_know_a_commentary_from_help_for_the_blind_and_the_hard_of_hearing() -> None:
    media = m3u8.loads(master_playlist(film(), 480)).media[:5]
    assert [(m.autoselect, m.characteristics) for m in media] == [
        ("YES", None),
        ("YES", None),
        ("NO", None),
        ("YES", "public.accessibility.describes-video"),
        ("YES", "public.accessibility.enhances-speech-intelligibility"),
    ]


def test_mpd_tells_channels_roles_and_which_sound_comes_first() -> None:
    text = mpd(film(), 480)
    assert MPEGDASHParser.parse(text.decode())
    sets = ET.fromstring(text).findall("d:Period/d:AdaptationSet", NS)[1:]  # noqa: S314 - our own XML
    told = []
    for adaptation in sets:
        channels = adaptation.find(".//d:AudioChannelConfiguration", NS)
        role, label, purpose = (adaptation.find(f"d:{name}", NS) for name in ("Role", "Label", "Accessibility"))
        assert channels is not None
        assert role is not None
        assert label is not None
        told.append(
            (
                label.text,
                channels.get("value"),
                role.get("value"),
                None if purpose is None else purpose.get("value"),
                adaptation.get("selectionPriority"),
            )
        )
        # ISO/IEC 23009-1 table 5 wants this order.
        names = [child.tag.rpartition("}")[2] for child in adaptation]
        assert [name for name in ("Label", "Accessibility", "Role", "SegmentTemplate") if name in names] == names[:-1]
    assert told == [
        ("English", "2", "main", None, "3"),
        ("Deutsch", "2", "alternate", None, "2"),
        ("English · Commentary", "2", "commentary", None, "2"),
        ("English · Audio description", "2", "description", "1", "2"),
        ("English · Clear dialogue", "2", "enhanced-audio-intelligibility", "2", "2"),
        ("Deutsch 5.1", "6", "alternate", None, "1"),
    ]


def test_surround_of_the_main_track_is_main_too() -> None:
    made = presentation(rung(480), track("a0", "en", default=True), track("a0s", "en", beside="a0"))
    roles = ET.fromstring(mpd(made, 480)).findall(".//d:Role", NS)  # noqa: S314 - our own XML
    assert [role.get("value") for role in roles] == ["main", "main", "main"]
    media = m3u8.loads(master_playlist(made, 480)).media
    assert [(m.group_id, m.default, m.channels) for m in media] == [("audio0", "YES", "2"), ("audio1", "YES", "6")]
