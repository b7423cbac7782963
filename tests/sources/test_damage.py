from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from ottserver.transcode.whole import PATIENCE_SECONDS
from tests.sources.make import LOUD, made
from tests.sources.matrix import MPEG2, OPEN, SVT, VP9, X265
from tests.sources.specs import X264, Options, Sound, Source
from tests.sources.verify import heard, hold_times, plan_for, seen_in, stitched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Damage = Callable[[bytearray, random.Random], None]

SECONDS = 12
FIRST, LAST = 0.4, 0.5
"""Shares of the file between which it is damaged."""
LONGEST_GROUP = 40
CABAC: Options = (("preset", "veryfast"), ("g", "40"), ("sc_threshold", "0"), ("crf", "18"))
MPEG4: Options = (("g", "40"), ("b", "1500k"))


def noise(data: bytearray, chance: random.Random) -> None:
    """Other bytes."""
    start, end = int(len(data) * FIRST), int(len(data) * LAST)
    data[start:end] = chance.randbytes(end - start)


def nothing(data: bytearray, _chance: random.Random) -> None:
    """Zeros, as a copy from a bad disk has them."""
    start, end = int(len(data) * FIRST), int(len(data) * LAST)
    data[start:end] = bytes(end - start)


def gap(data: bytearray, chance: random.Random) -> None:
    """Bytes are missing, as in what was received."""
    start, end = int(len(data) * FIRST), int(len(data) * (LAST - 0.05))
    del data[start + chance.randrange(99) : end]


def specks(data: bytearray, chance: random.Random) -> None:
    """A few bytes here and there."""
    for _ in range(4):
        at = chance.randrange(int(len(data) * FIRST), int(len(data) * LAST))
        data[at : at + 64] = chance.randbytes(64)


def bits(data: bytearray, chance: random.Random) -> None:
    """Single bits."""
    for _ in range(8):
        data[chance.randrange(int(len(data) * FIRST), int(len(data) * LAST))] ^= 1 << chance.randrange(8)


H264_MKV = Source("h264.mkv", options=CABAC, sounds=(Sound(steady=True),))
H264_TS = Source("h264.ts", options=CABAC, sounds=(Sound("ac3", steady=True),))
H264_MP4 = Source("h264.mp4", options=CABAC, sounds=(Sound(steady=True),))
CAVLC = Source("cavlc.ts", options=X264, sounds=(Sound(steady=True),))
OPEN_GOP = Source("open-gop.ts", options=OPEN, sounds=(Sound("eac3", steady=True),))
REFRESH: Options = (("preset", "veryfast"), ("crf", "18"), ("x264-params", "intra-refresh=1:keyint=30"))
NO_KEYS = Source("no-keys.ts", options=REFRESH, sounds=(Sound("ac3", steady=True),))
HEVC_MKV = Source("hevc.mkv", codec="libx265", options=X265, sounds=(Sound("flac", steady=True),))
HEVC_TS = Source("hevc.ts", codec="libx265", options=X265, sounds=(Sound(steady=True),))
MPEG2_TS = Source("mpeg2.ts", codec="mpeg2video", options=MPEG2, sounds=(Sound("ac3", steady=True),))
DISC = Source("disc.mpg", codec="mpeg2video", options=MPEG2, sounds=(Sound("ac3", steady=True),), format="vob")
AVI = Source("old.avi", codec="mpeg4", options=MPEG4, sounds=(Sound("ac3", steady=True),))
PCM_AVI = Source("pcm.avi", codec="mpeg4", options=MPEG4, sounds=(Sound("pcm_s16le", steady=True),))
PCM_MOV = Source("pcm.mov", options=CABAC, sounds=(Sound("pcm_s16le", steady=True),))
OPUS_MP4 = Source("opus.mp4", options=CABAC, sounds=(Sound("libopus", steady=True),))
MP3_MP4 = Source("mp3.mp4", codec="mpeg4", options=(*MPEG4, ("bf", "2")), sounds=(Sound("libmp3lame", steady=True),))
WEBM = Source("vp9.webm", codec="libvpx-vp9", options=VP9, sounds=(Sound("libopus", steady=True),))
AV1 = Source("av1.mkv", codec="libsvtav1", options=SVT, sounds=(Sound("libopus", steady=True),))

QUICK = (
    (H264_MKV, noise), (H264_TS, noise), (H264_MP4, noise), (AVI, noise), (DISC, gap), (OPUS_MP4, noise),
    (H264_TS, specks), (H264_MP4, bits), (NO_KEYS, noise),
)  # fmt: skip
ALL = (
    (CAVLC, noise), (OPEN_GOP, noise), (HEVC_MKV, noise), (HEVC_TS, noise), (MPEG2_TS, noise), (DISC, noise),
    (PCM_AVI, noise), (PCM_MOV, noise), (MP3_MP4, noise), (WEBM, noise), (AV1, noise),
    (H264_MKV, nothing), (H264_TS, nothing), (H264_MP4, nothing), (AVI, nothing), (PCM_AVI, nothing), (WEBM, nothing),
    (H264_TS, gap), (CAVLC, gap), (OPEN_GOP, gap), (HEVC_TS, gap), (MPEG2_TS, gap),
    (H264_MKV, specks), (H264_MP4, specks), (OPEN_GOP, specks), (AVI, specks), (MP3_MP4, specks), (MPEG2_TS, specks),
    (H264_MKV, bits), (H264_TS, bits), (AVI, bits), (DISC, bits), (MP3_MP4, bits),
)  # fmt: skip
# Single bits and bytes of HEVC, VP9 and AV1 may be any picture: no decoder can tell.


def damaged(source: Source, how: Damage, folder: Path) -> Path:
    """The source's file of 12 seconds, damaged in its middle."""
    whole = replace(source, seconds=Fraction(SECONDS))
    data = bytearray(made(whole).read_bytes())
    how(data, random.Random(source.name))
    path = folder / source.name
    path.write_bytes(data)
    return path


def hold_held(numbers: Sequence[int | None]) -> None:
    """Each frame is the right one or the one before it again."""
    wrong = [
        (place, number)
        for place, (before, number) in enumerate(zip([0, *numbers], numbers, strict=False))
        if number not in (place, before)
    ]
    assert not wrong, wrong


def sounding(samples: np.ndarray, rate: int, hertz: int) -> str:
    """A letter for every 20 ms: the tone (t), in its phase, silence (s) or something else (x)."""
    length = rate // 50
    letters, phase = "", None
    for at in range(0, samples.size - length + 1, length):
        part, turn = samples[at : at + length], np.exp(-2j * np.pi * hertz * np.arange(at, at + length) / rate)
        level, found = float(np.sqrt((part**2).mean())), 2 * complex((part * turn).mean())
        phase = phase or found
        like = abs(found) / max(1e-9, level * 2**0.5)
        steady = like > 0.97 and abs(abs(found) - LOUD) < LOUD / 10 and abs(np.angle(found / phase)) < 0.5
        letters += "s" if level < LOUD / 100 else "t" if steady else "x"
    return letters


@pytest.mark.parametrize(
    ("source", "how"),
    [
        *(pytest.param(*one, id=f"{one[0].name}-{one[1].__name__}") for one in QUICK),
        *(pytest.param(*one, id=f"{one[0].name}-{one[1].__name__}", marks=pytest.mark.slow) for one in ALL),
    ],
)
def test_damage_is_held_and_silent_and_the_rest_plays_in_its_time(source: Source, how: Damage, tmp_path: Path) -> None:
    path = damaged(source, how, tmp_path)

    pictures, track = stitched(path, plan_for(path), tmp_path)

    hold_times(pictures)
    hold_times(track)
    numbers = [look.number for look in seen_in(pictures)]
    frames = SECONDS * 25
    assert len(numbers) == frames
    hold_held(numbers)
    # Bytes and seconds run almost alike.
    before, after = int(frames * FIRST) - LONGEST_GROUP, int(frames * LAST) + 2 * LONGEST_GROUP
    assert numbers[:before] == list(range(before))
    assert numbers[after:] == list(range(after, frames))
    assert numbers != list(range(frames)), "nothing was damaged"
    letters = sounding(heard(track)[0], track.rendition.sample_rate, source.sounds[0].hertz)
    start, end = before * 2, after * 2
    assert set(letters[1:start]) == set(letters[end:-4]) == {"t"}, letters
    assert "x" * 6 not in letters, letters
    if how in (noise, nothing, gap):
        assert "s" * 20 in letters, letters
    assert np.abs(heard(track)).max() < LOUD * 1.6


def test_stream_whose_every_packet_is_counted_wrongly_plays_whole(tmp_path: Path) -> None:
    data = bytearray(made(replace(H264_TS, seconds=Fraction(SECONDS))).read_bytes())
    for at in range(3, len(data), 188):
        data[at] &= 0xF0
    path = tmp_path / "uncounted.ts"
    path.write_bytes(data)

    pictures, track = stitched(path, plan_for(path), tmp_path)

    assert [look.number for look in seen_in(pictures)] == list(range(SECONDS * 25))
    letters = sounding(heard(track)[0], track.rendition.sample_rate, 1000)
    assert set(letters[1:-4]) == {"t"}, letters


def test_damaged_pictures_are_shown_when_no_whole_one_has_come_for_long(tmp_path: Path) -> None:
    source = replace(H264_TS, name="smeared.ts", seconds=Fraction(SECONDS))
    data = bytearray(made(source).read_bytes())
    chance = random.Random(3)
    for at in range(0, len(data) - 188, 188):
        # In every packet but those with a beginning some bytes are others.
        if at > len(data) * 0.1 and not data[at + 1] & 0x40 and not data[at + 3] & 0x20:
            data[at + 60 : at + 70] = chance.randbytes(10)
    path = tmp_path / source.name
    path.write_bytes(data)

    pictures, _ = stitched(path, plan_for(path), tmp_path)

    numbers = [look.number for look in seen_in(pictures)]
    whole = numbers.index(numbers[100])
    assert numbers[: whole + 1] == list(range(whole + 1))
    patience = PATIENCE_SECONDS * 25
    assert set(numbers[whole : whole + patience]) == {whole}
    with av.open(str(pictures.path)) as container:
        looks = [frame.to_ndarray(format="gray").tobytes() for frame in container.decode(video=0)]
    assert len(looks) == SECONDS * 25
    assert len(set(looks[whole + patience + 2 :])) > 5
