from __future__ import annotations

import random
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from tests.sources.make import made
from tests.sources.specs import Sound, Source
from tests.sources.verify import heard, hold_times, onsets, plan_for, seen_in, stitched

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 12
FIRST, LAST = Fraction(4, 10), Fraction(5, 10)
"""Between these shares of the file every byte is another."""


@pytest.mark.parametrize(
    ("name", "sound"),
    [("damaged.mkv", "aac"), ("damaged.ts", "ac3"), ("damaged.mp4", "aac")],
)
def test_damaged_stretch_is_held_and_silent_and_the_rest_plays_in_its_time(
    name: str, sound: str, tmp_path: Path
) -> None:
    source = Source(name, seconds=Fraction(SECONDS), sounds=(Sound(sound),))
    data = bytearray(made(source).read_bytes())
    start, end = int(len(data) * FIRST), int(len(data) * LAST)
    data[start:end] = random.Random(name).randbytes(end - start)
    path = tmp_path / name
    path.write_bytes(data)

    pictures, track = stitched(path, plan_for(path), tmp_path)

    hold_times(pictures)
    hold_times(track)
    numbers = [look.number for look in seen_in(pictures)]
    frames = SECONDS * 25
    assert len(numbers) == frames
    # Bytes and seconds run almost alike; a group of pictures is 40 long.
    before, after = int(frames * FIRST) - 50, int(frames * LAST) + 90
    assert numbers[:before] == list(range(before))
    assert numbers[after:] == list(range(after, frames))
    assert all(number is None or number <= place for place, number in enumerate(numbers))
    assert numbers != list(range(frames)), "nothing was damaged"
    sounded = onsets(heard(track), track.rendition.sample_rate)
    whole = [second + 0.5 for second in range(SECONDS) if second < 3 or second > 7]
    for beep in whole:
        assert min(abs(beep - onset) for onset in sounded) < 0.06, sounded
