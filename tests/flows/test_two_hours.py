from __future__ import annotations

import io
import random
import subprocess
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from tests.flows.people import new_owner
from tests.flows.screens import fetch, tracks
from tests.flows.uploads import add, uploaded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.conftest import StartQuick

RATE, WIDTH, HEIGHT, BITS = 10, 192, 96, 8
CLIP_FRAMES, TIMES = 200, 360
SECONDS = CLIP_FRAMES * TIMES / RATE
"""Two hours."""
PLACES = 10


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Path) -> Path:
    """Two hours of a clip of 20 s over and over, its packets copied; every picture of the clip shows its number."""
    folder = tmp_path_factory.mktemp("two-hours")
    clip, film = folder / "clip.mp4", folder / "film.mp4"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"g": "100", "preset": "ultrafast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(CLIP_FRAMES):
            picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
            for bit in range(BITS):
                left = bit * WIDTH // BITS
                picture[:HEIGHT, left : left + WIDTH // BITS] = 220 if number >> bit & 1 else 30
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
        container.mux(stream.encode(None))
    words = ["-v", "error", "-stream_loop", str(TIMES - 1), "-i", str(clip), "-c", "copy", str(film)]
    subprocess.run([str(ffmpeg), *words], check=True, timeout=60)
    return film


def numbers(data: bytes) -> list[int]:
    """What the pictures of an init and a media segment show."""
    found = []
    with av.open(io.BytesIO(data), "r") as container:
        for frame in container.decode(video=0):
            luma = frame.to_ndarray(format="gray")
            columns = [luma.shape[1] * (2 * bit + 1) // (2 * BITS) for bit in range(BITS)]
            found.append(sum(int(luma[luma.shape[0] // 2, x] > 125) << bit for bit, x in enumerate(columns)))
    return found


def test_two_hours_play_from_the_upload_on_and_show_the_right_picture_anywhere(
    start_quick: StartQuick, long_film: Path
) -> None:
    owner = new_owner(start_quick())
    video_id = add(owner, uploaded(owner, long_film.read_bytes()), "Two hours")
    owner.until(video_id, "playable", "complete")
    play = owner.play(video_id)
    assert play["duration_seconds"] == pytest.approx(SECONDS, abs=1 / RATE)
    places = random.Random(2)
    for name, track in tracks(play["manifest_url"]).items():
        assert sum(track.seconds) == pytest.approx(SECONDS, abs=1 / RATE)
        init = fetch(track.init).content
        for index in (0, *places.sample(range(len(track.segments)), PLACES), len(track.segments) - 1):
            first = round(sum(track.seconds[:index]) * RATE)
            shown = numbers(init + fetch(track.segments[index]).content)
            length = round(track.seconds[index] * RATE)
            assert shown == [number % CLIP_FRAMES for number in range(first, first + length)], f"{name}, {index}"
