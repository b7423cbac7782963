from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from ottserver.ingest import keyframes
from ottserver.ingest.probe import probe
from tests.transcode.clips import Clip, Sound, write

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (160, 90)
OPEN = (("preset", "veryfast"), ("x264-params", "open-gop=1:keyint=30:bframes=3"))
X264 = (("preset", "veryfast"), ("bf", "3"), ("g", "50"), ("sc_threshold", "0"))
FILM = Clip("film.mp4", seconds=5, size=SIZE, options=X264, sounds=(Sound(),))
FILMS = [
    FILM,
    replace(FILM, name="film.mkv", rate=Fraction(24000, 1001), seconds=5.2),
    replace(FILM, name="late.mov", first=20),
    replace(FILM, name="broadcast.ts", first=37),
    replace(FILM, name="flat.mkv", options=(*X264[:1], ("bf", "0"), *X264[2:])),
    Clip("web.webm", size=SIZE, codec="libvpx-vp9",
         options=(("deadline", "realtime"), ("cpu-used", "8"), ("g", "50"))),
    Clip("hevc.mkv", size=SIZE, codec="libx265",
         options=(("preset", "ultrafast"), ("x265-params", "keyint=50:min-keyint=50:log-level=none:open-gop=0"))),
]  # fmt: skip


@pytest.fixture(params=["read through", "index"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the key frames are found: all of a small file is read, of a large one the index and the key frames."""
    if request.param == "index":
        monkeypatch.setattr(keyframes, "_READ_THROUGH_BYTES", {True: 0, False: 2 << 30})
    way: str = request.param
    return way


@pytest.mark.parametrize("clip", FILMS, ids=lambda clip: clip.name)
@pytest.mark.usefixtures("way")
def test_key_frames_are_found_at_their_numbers(clip: Clip, tmp_path: Path) -> None:
    source = write(clip, tmp_path)
    video = probe(source).video
    assert video.keys == (0, 50, 100)
    assert video.closed
    assert video.steady
    assert video.reorder == (2 if clip.codec == "libx264" and ("bf", "3") in clip.options else video.reorder)
    assert len(video.key_bytes) == 3
    assert all(size > 0 for size in video.key_bytes)
    # Whatever else the container holds, no more is said than there is in the file.
    assert sum(video.key_bytes) <= source.stat().st_size


@pytest.mark.parametrize(
    "clip",
    [
        Clip("x264.mp4", size=SIZE, options=OPEN),
        Clip("x264.mkv", size=SIZE, options=OPEN),
        # No frame is shown across these key frames, yet at the later ones a decoder cannot begin at once.
        Clip("refresh.mp4", size=SIZE, options=(("preset", "veryfast"), ("x264-params", "intra-refresh=1:keyint=30"))),
        Clip("x265.mp4", size=SIZE, codec="libx265", options=(
            ("preset", "ultrafast"), ("x265-params", "keyint=30:bframes=3:log-level=none:open-gop=1"))),
    ],
    ids=lambda clip: clip.name,
)  # fmt: skip
@pytest.mark.usefixtures("way")
def test_open_groups_of_pictures_are_told_apart(clip: Clip, tmp_path: Path) -> None:
    video = probe(write(clip, tmp_path)).video
    assert len(video.keys) > 2
    assert not video.closed


@pytest.mark.usefixtures("way")
def test_uneven_film_has_no_number_for_every_frame(tmp_path: Path) -> None:
    times = tuple(n * 33 + n % 3 + (n // 20) * 33 for n in range(120))
    video = probe(write(Clip("phone.mkv", times=times, rate=Fraction(30), options=X264), tmp_path)).video
    assert video.keys
    assert not video.steady


def test_every_frame_a_key_frame_is_one_every_half_second(tmp_path: Path) -> None:
    clip = Clip("intra.mp4", seconds=2, size=SIZE, codec="mpeg4", options=(("g", "1"),))
    assert probe(write(clip, tmp_path)).video.keys == (0, 12, 24, 36, 48)


def test_nothing_is_said_when_the_time_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyframes, "BUDGET_SECONDS", -1.0)
    video = probe(write(FILM, tmp_path)).video
    assert video.frames == 125
    assert not video.keys


@pytest.mark.parametrize(
    ("clip", "codecs"),
    [
        (FILM, "avc1.64000b"),
        (replace(FILM, name="film.ts"), "avc1.64000b"),
        (Clip("ten-bit.mp4", seconds=1, size=SIZE, pixel_format="yuv420p10le"), "avc1.6e000b"),
        (Clip("h.mp4", seconds=1, size=SIZE, codec="libx265", options=(("preset", "ultrafast"),)), "hvc1.1.6.L30.90"),
        (Clip("h.ts", seconds=1, size=SIZE, codec="libx265", options=(("preset", "ultrafast"),)), "hvc1.1.6.L30.90"),
        (Clip("v.webm", seconds=1, size=SIZE, codec="libvpx-vp9", options=(("cpu-used", "8"),)), "vp09.00.10.08"),
        (Clip("a.mkv", seconds=1, size=SIZE, codec="libsvtav1", options=(("preset", "12"),)), "av01.0.00M.08"),
        (Clip("old.avi", seconds=1, size=SIZE, codec="mpeg4", options=()), ""),
    ],
    ids=lambda value: value.name if isinstance(value, Clip) else "",
)
def test_codec_is_named_as_players_know_it(clip: Clip, codecs: str, tmp_path: Path) -> None:
    assert probe(write(clip, tmp_path)).video.codecs == codecs
