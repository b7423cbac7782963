from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from ottserver.transcode.grid import AAC_FRAME, Grid

RATES = [Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(60), Fraction(179, 6)]


def test_thirty_seconds_of_film_in_two_second_segments() -> None:
    grid = Grid(Fraction(24), 720, (2.0,))
    assert grid.starts == tuple(range(0, 721, 48))
    assert (grid.timescale, grid.frame_ticks) == (24_000, 1000)
    assert grid.audio_boundaries(48000)[:3] == (0, 94 * 1024, 188 * 1024)


def test_ntsc_segments_have_whole_frames_and_exact_ticks() -> None:
    grid = Grid(Fraction(30000, 1001), 900, (4.0,))
    assert grid.starts[:2] == (0, 120)
    assert (grid.timescale, grid.frame_ticks) == (30_000, 1001)
    assert Fraction(grid.video_boundaries()[1], grid.timescale) == Fraction(4004, 1000)


def test_first_segments_can_be_shorter_and_the_last_length_repeats() -> None:
    grid = Grid(Fraction(25), 750, (2.0, 4.0, 6.0))
    assert grid.starts == (0, 50, 150, 300, 450, 600, 750)


def test_short_rest_is_part_of_the_last_segment() -> None:
    assert Grid(Fraction(25), 124, (2.0,)).starts == (0, 50, 124)
    assert Grid(Fraction(25), 125, (2.0,)).starts == (0, 50, 100, 125)
    assert Grid(Fraction(25), 3, (2.0,)).starts == (0, 3)


@given(
    rate=st.sampled_from(RATES),
    frames=st.integers(1, 200_000),
    seconds=st.lists(st.floats(2, 10), min_size=1, max_size=4),
    sample_rate=st.sampled_from([8000, 22050, 44100, 48000]),
)
def test_segments_cover_the_film_without_gap_or_overlap(
    rate: Fraction, frames: int, seconds: list[float], sample_rate: int
) -> None:
    grid = Grid(rate, frames, tuple(seconds))
    assert grid.starts[0] == 0
    assert grid.starts[-1] == frames
    assert all(before < after for before, after in pairwise(grid.starts))
    sound = grid.audio_boundaries(sample_rate)
    assert len(sound) == len(grid.starts)
    assert all(before < after and after % AAC_FRAME == 0 for before, after in pairwise(sound))
    drift = max(abs(at / sample_rate - float(start / rate)) for at, start in zip(sound, grid.starts, strict=True))
    assert drift <= max(0.51, 1 if frames < 5 else 0) * AAC_FRAME / sample_rate
    lengths = [float((after - before) / rate) for before, after in pairwise(grid.starts)]
    assert max(lengths) <= 15.1
    assert len(lengths) == 1 or min(lengths) >= 0.95


@pytest.mark.parametrize("rate", RATES)
def test_every_frame_of_a_steady_source_has_its_own_number(rate: Fraction) -> None:
    grid = Grid(rate, 1000, (2.0,))
    for time_base in (Fraction(1, 90_000), Fraction(1, 1000), 1 / rate):
        stamps = [round(number / rate / time_base) + 7 for number in range(1000)]
        assert [grid.frame_at(stamp, 7, time_base) for stamp in stamps] == list(range(1000))
