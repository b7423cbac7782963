from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from ottserver.ingest.models import ProbeFailed
from ottserver.ingest.probe import probe
from tests.sources.make import made
from tests.sources.matrix import MPEG2, VP9
from tests.sources.specs import Options, Sound, Source
from tests.sources.verify import heard, hold_times, onsets, plan_for, seen_in, stitched

if TYPE_CHECKING:
    from pathlib import Path

SECONDS, KEPT, FLASH = 8, 0.6, 0.52
MPEG4: Options = (("g", "40"), ("b", "1500k"))
LIVE: Options = (("live", "1"),)
FRAGMENTED: Options = (("movflags", "frag_keyframe+empty_moov"),)
PLAYED = (
    Source("cut.ts", sounds=(Sound("ac3"),)),
    Source("cut.mpg", codec="mpeg2video", options=MPEG2, sounds=(Sound("ac3"),), format="vob"),
    Source("cut.webm", codec="libvpx-vp9", options=VP9, sounds=(Sound("libopus"),), muxer=LIVE),
    Source("cut-live.mkv", sounds=(Sound(),), muxer=LIVE),
    Source("cut.asf", codec="wmv2", options=MPEG4, sounds=(Sound("wmav2", 44100),)),
)
REFUSED = (
    Source("cut.mp4", sounds=(Sound(),)),
    Source("cut-fast.mp4", sounds=(Sound(),), muxer=(("movflags", "faststart"),)),
    Source("cut-fragmented.mp4", sounds=(Sound(),), muxer=FRAGMENTED),
    Source("cut.mov", sounds=(Sound("pcm_s16le"),)),
    Source("cut.mkv", sounds=(Sound(),)),
    Source("cut-sized.webm", codec="libvpx-vp9", options=VP9, sounds=(Sound("libopus"),)),
    Source("cut.avi", codec="mpeg4", options=MPEG4, sounds=(Sound("ac3"),)),
    Source("cut.flv", codec="flv", options=MPEG4, sounds=(Sound("libmp3lame", 44100),)),
)


def cut(source: Source, folder: Path, share: float = KEPT) -> Path:
    """The first part of a file of 8 seconds."""
    whole = replace(source, seconds=Fraction(SECONDS))
    data = made(whole).read_bytes()
    path = folder / source.name
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize("source", PLAYED, ids=lambda source: source.name)
def test_recording_without_its_end_plays_what_it_has(source: Source, tmp_path: Path) -> None:
    path = cut(source, tmp_path)

    pictures, track = stitched(path, plan_for(path), tmp_path)

    hold_times(pictures)
    hold_times(track)
    numbers = [look.number for look in seen_in(pictures)]
    least = round(SECONDS * 25 * KEPT) - 15
    assert len(numbers) > least
    assert numbers[:least] == list(range(least))
    assert all(
        number in {place, before} for place, (before, number) in enumerate(zip([0, *numbers], numbers, strict=False))
    )
    beeps = onsets(heard(track), track.rendition.sample_rate)
    assert [round(beep - FLASH) for beep in beeps] == list(range(len(beeps)))
    assert max(abs(beep - FLASH - second) for second, beep in enumerate(beeps)) < 0.02
    assert len(beeps) >= int(SECONDS * KEPT) - 1


@pytest.mark.parametrize("source", REFUSED, ids=lambda source: source.name)
def test_file_that_says_how_long_it_is_is_refused_without_its_end(source: Source, tmp_path: Path) -> None:
    with pytest.raises(ProbeFailed, match=r"^The file is incomplete: .* missing\. Copy or upload it again\.$"):
        probe(cut(source, tmp_path))


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_index_cut_in_two_is_told(share: float, tmp_path: Path) -> None:
    data = made(Source("index.mp4", seconds=Fraction(SECONDS), muxer=(("movflags", "faststart"),))).read_bytes()
    at = data.index(b"moov") - 4
    size = int.from_bytes(data[at : at + 4])
    path = tmp_path / "index.mp4"
    path.write_bytes(data[: at + int(size * share)])
    with pytest.raises(ProbeFailed, match=r"incomplete: its last .* bytes are missing"):
        probe(path)


@pytest.mark.parametrize("source", [*PLAYED, *REFUSED], ids=lambda source: source.name)
def test_little_more_than_a_beginning_is_refused_in_a_sentence_or_plays(source: Source, tmp_path: Path) -> None:
    for share in (0.001, 0.01, 0.04):
        assert re.fullmatch(r"[1-9]\d* frames|The file .*\.|No picture .*\.", said_of(cut(source, tmp_path, share)))


def said_of(path: Path) -> str:
    try:
        return f"{probe(path).video.frames} frames"
    except ProbeFailed as failure:
        return failure.reason
