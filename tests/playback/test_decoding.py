from __future__ import annotations

import pytest

from ottserver.playback.decoding import decodes


@pytest.mark.parametrize(
    ("codecs", "can"),
    [
        ("avc1.640028", ""),
        ("avc1.4d401f", "hevc"),
        ("avc3.42c01e", ""),
        ("avc1.6e0028", "avc1.6e"),
        ("avc1.6e0028", "h264"),
        ("hvc1.1.6.L93.90", "hevc"),
        ("hvc1.1.6.L93.90", "vp9, HEVC ,av1"),
        ("hvc1.1.6.L93.90", "hev1.1"),
        ("hvc1.2.4.L153.B0", "hvc1.2.4.L153.B0"),
        ("vp09.00.41.08", "vp9"),
        ("vp09.02.41.10", "vp09.02"),
        ("av01.0.08M.10", "av01"),
    ],
)
def test_player_decodes_what_it_says_and_what_every_browser_does(codecs: str, can: str) -> None:
    assert decodes(codecs, can)


@pytest.mark.parametrize(
    ("codecs", "can"),
    [
        ("avc1.6e0028", ""),
        ("avc1.6e0028", "avc1.64"),
        ("hvc1.1.6.L93.90", ""),
        ("hvc1.1.6.L93.90", ",,"),
        ("hvc1.1.6.L93.90", "h264,vp9,av1"),
        ("hvc1.1.6.L93.90", "hvc1.2"),
        ("hvc1.11.6.L93.90", "hvc1.1"),
        ("vp09.02.41.10", "vp09.00"),
        ("av01.1.08M.08", "av01.0"),
        ("av01.0.08M.10", "a"),
    ],
)
def test_player_is_not_believed_to_decode_what_it_does_not_name(codecs: str, can: str) -> None:
    assert not decodes(codecs, can)
