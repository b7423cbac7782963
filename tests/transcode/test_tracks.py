from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ottserver.ingest.probe import probe
from ottserver.media import AudioStream
from ottserver.transcode.tracks import tracks
from tests.transcode.clips import Clip, Sound, write
from tests.transcode.stitching import SETTINGS, plan_of

if TYPE_CHECKING:
    from pathlib import Path

    from ottserver.media import Purpose

STEREO = ("FL", "FR")


def stream(
    language: str = "und",
    title: str = "",
    *,
    positions: tuple[str, ...] = STEREO,
    purpose: Purpose = "",
    default: bool = False,
    rate: int = 48000,
) -> AudioStream:
    return AudioStream(
        index=1,
        codec="ac3",
        sample_rate=rate,
        channels=len(positions),
        layout="",
        language=language,
        title=title,
        default=default,
        time_base="1/1000",
        start=0,
        positions=positions,
        purpose=purpose,
    )


@pytest.mark.parametrize(
    ("language", "title", "purpose", "label"),
    [
        ("eng", "", "", "English"),
        ("ger", "Surround 5.1", "", "Deutsch"),
        ("fre", "DTS-HD MA 5.1 @ 1509 kbps", "", "Français"),
        ("deu", "Deutsch (Kino)", "", "Deutsch (Kino)"),
        ("eng", "Director's Commentary", "commentary", "Director's Commentary"),
        ("eng", "", "commentary", "English · Commentary"),
        ("jpn", "Stereo", "description", "日本語 · Audio description"),
        ("und", "", "clear", "Clear dialogue"),
        ("und", "AC3", "", ""),
    ],
)
def test_label_tells_people_what_they_choose(language: str, title: str, purpose: Purpose, label: str) -> None:
    (track,) = tracks([stream(language, title, purpose=purpose)], SETTINGS)
    assert track.label == label


def test_labels_are_told_apart_and_languages_have_one_spelling() -> None:
    made = tracks([stream("eng"), stream("en"), stream("pt_br"), stream("hin", default=True)], SETTINGS)
    assert [(track.name, track.language, track.label) for track in made] == [
        ("a0", "hi", "हिन्दी"),
        ("a1", "en", "English"),
        ("a2", "en", "English 2"),
        ("a3", "pt-BR", "Português (Brasil)"),
    ]


@pytest.mark.parametrize(
    ("positions", "surround"),
    [
        (("FL", "FR", "FC", "LFE", "SL", "SR"), True),
        (("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"), True),
        (("FL", "FR", "FC", "LFE", "BC", "SL", "SR"), True),
        (("FL", "FR", "FC", "BL", "BR"), False),
        (("FL", "FR", "LFE"), False),
        (("FC",), False),
        ((), False),
    ],
)
def test_surround_is_offered_where_the_source_has_all_of_it(positions: tuple[str, ...], *, surround: bool) -> None:
    made = tracks([stream("eng", positions=positions)], SETTINGS)
    assert [(track.name, track.channels, track.beside) for track in made] == [
        ("a0", 2, ""),
        *([("a0s", 6, "a0")] if surround else []),
    ]


def test_low_sample_rates_take_fewer_bits() -> None:
    (low,) = tracks([stream(rate=8000)], SETTINGS)
    (high,) = tracks([stream(rate=192_000)], SETTINGS)
    assert (low.sample_rate, low.bitrate) == (8000, 40_000)
    assert (high.sample_rate, high.bitrate) == (48000, 128_000)


def test_film_of_six_languages_has_six_tracks_named_by_them(tmp_path: Path) -> None:
    codes = ("eng", "ger", "fre", "hin", "jpn", "spa")
    sounds = tuple(Sound(language=code, layout="5.1" if code == "ger" else "stereo") for code in codes)
    plan = plan_of(probe(write(Clip("six.mkv", seconds=1, size=(64, 48), sounds=sounds), tmp_path)))
    assert [(track.name, track.language, track.label) for track in plan.tracks] == [
        ("a0", "en", "English"),
        ("a1", "de", "Deutsch"),
        ("a2", "fr", "Français"),
        ("a3", "hi", "हिन्दी"),
        ("a4", "ja", "日本語"),
        ("a5", "es", "Español"),
        ("a1s", "de", "Deutsch"),
    ]
