from __future__ import annotations

import pytest

from ottserver.transcode.outlook import Speed, units_of


def test_estimate_follows_the_latest_measurements() -> None:
    speed = Speed()
    assert speed.seconds(100) is None
    speed.note(100, 30.0)
    speed.note(100, 6.0)
    assert speed.seconds(100) is None
    speed.note(100, 9.0)
    assert speed.seconds(50) == pytest.approx(7.5)
    for _ in range(20):
        speed.note(100, 20.0)
    assert speed.seconds(50) == pytest.approx(10.0, rel=0.01)


def test_large_pictures_count_more_than_small_ones_and_sound_counts_little() -> None:
    sizes = {"v480": 854 * 480, "v1080": 1920 * 1080, "a0": 0}
    small, large = units_of(sizes, {"v480": 10}), units_of(sizes, {"v1080": 10})
    assert 4 < large / small < 6
    assert 0 < units_of(sizes, {"a0": 10}) < small / 5
