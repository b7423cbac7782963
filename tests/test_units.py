from __future__ import annotations

import pytest

from ottserver.units import size


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1 KB"),
        (1_500_000_000, "1.5 GB"),
        (999_960, "1 MB"),
        (61_000_000_000, "61 GB"),
        (2_345_678_000_000_000, "2345.7 TB"),
    ],
)
def test_sizes_are_told_as_people_tell_them(count: int, words: str) -> None:
    assert size(count) == words
