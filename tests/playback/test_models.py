from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ottserver.playback.models import device_name, resume_position


@pytest.mark.parametrize(
    ("position", "duration", "resume"),
    [
        (0, 6000, 0),
        (4.9, 6000, 0),
        (5, 6000, 5),
        (3000, 6000, 3000),
        (5699.9, 6000, 5699.9),
        (5700, 6000, 0),  # the last 5 %
        (569.9, 600, 569.9),
        (570, 600, 0),  # 5 % and 30 s are the same here
        (369, 400, 369),
        (370, 400, 0),  # 30 s are more than 5 %
        (26, 30, 26),
        (27, 30, 0),  # 30 s of a clip of 30 s would be all of it
        (6, 5, 0),
        (0, 0, 0),
    ],
)
def test_where_a_film_goes_on(position: float, duration: float, resume: float) -> None:
    assert resume_position(position, duration) == resume


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_film_never_goes_on_behind_its_end(position: float, duration: float) -> None:
    assert 0 <= resume_position(position, duration) <= duration


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML) Chrome/141.0 Safari/537.36",
            "Chrome on Windows",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile Safari/604.1",
            "Safari on iPhone",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/141.0 Safari/537.36 Edg/141.0", "Edge on Windows"),
        ("Mozilla/5.0 (SMART-TV; LINUX; Tizen 7.0) AppleWebKit/537.36 Chrome/94 Safari/537.36", "Chrome on a TV"),
        ("VLC/3.0.21 LibVLC/3.0.21", "VLC"),
        ("Lavf/59.27.100", "FFmpeg"),
        ("Something (Android 15)", "Android"),
        ("", "A player"),
        ("\x00<script>" * 1000, "A player"),
    ],
)
def test_device_is_named_in_a_few_words(agent: str, name: str) -> None:
    assert device_name(agent) == name
