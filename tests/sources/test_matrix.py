from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ottserver.languages import language_tag
from tests.sources.make import made
from tests.sources.matrix import MATRIX
from tests.sources.verify import hold_pictures, hold_sound, hold_times, plan_for, seen_in, stitched

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sources.specs import Sound, Source

STEREO, SURROUND = 2, 6


def language(sound: Sound) -> str:
    """As manifests name it (BCP 47)."""
    return language_tag(sound.language) if sound.language else "und"


def test_matrix_is_wide() -> None:
    assert len({source.name for source in MATRIX}) == len(MATRIX) >= 60


@pytest.mark.parametrize(
    "source",
    [pytest.param(one, id=one.name, marks=() if one.fast else (pytest.mark.slow,)) for one in MATRIX],
)
def test_source_plays_whole_in_time_in_shape_and_in_colour(source: Source, tmp_path: Path) -> None:
    path = made(source)
    plan = plan_for(path)

    pictures, *tracks = stitched(path, plan, tmp_path)

    hold_times(pictures)
    looks = seen_in(pictures, turned=source.turned, white=source.displayed([(1, 1, 1)])[0][1])
    hold_pictures(source, pictures, looks)
    assert plan.report.video.interlaced == source.interlaced
    assert {track.rendition.channels for track in tracks if track.rendition.channels > STEREO} <= {SURROUND}
    for track in tracks:
        hold_times(track)
    stereo = [track for track in tracks if track.rendition.channels == STEREO]
    assert [track.rendition.language for track in stereo] == [language(sound) for sound in source.sounds]
    for sound, track in zip(source.sounds, stereo, strict=True):
        assert sound.title in track.rendition.label
        hold_sound(source, sound, track, looks)
    assert len(plan.report.subtitles) == bool(source.subtitles)
    assert len(plan.report.chapters) == source.chapters
