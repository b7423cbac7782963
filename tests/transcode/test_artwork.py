from __future__ import annotations

import io
from typing import TYPE_CHECKING

import av
import numpy as np

from ottserver.ingest.probe import probe
from ottserver.transcode.artwork import pictures
from tests.transcode.clips import Clip, turn, write
from tests.transcode.stitching import plan_of

if TYPE_CHECKING:
    from pathlib import Path


def decoded(data: bytes) -> np.ndarray:
    with av.open(io.BytesIO(data), "r", format="jpeg_pipe") as container:
        return next(container.decode(video=0)).to_ndarray(format="gray")


def test_pictures_show_the_film_and_not_its_black_beginning(tmp_path: Path) -> None:
    source = tmp_path / "dark.mp4"
    noise = np.random.default_rng(3)
    with av.open(str(source), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for number in range(40):
            light = noise.integers(90, 200, (720, 1280, 3), np.uint8) * (number >= 10)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(light.astype(np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    made = pictures(source, plan_of(probe(source)), threads=1)
    assert decoded(made["poster"]).shape == (360, 640)
    assert decoded(made["backdrop"]).shape == (720, 1280)
    assert decoded(made["poster"]).mean() > 90


def test_pictures_of_a_small_turned_film_are_upright_and_not_enlarged(tmp_path: Path) -> None:
    source = turn(write(Clip("phone.mp4", seconds=1), tmp_path), 90)
    made = pictures(source, plan_of(probe(source)), threads=1)
    assert {decoded(data).shape for data in made.values()} == {(320, 180)}
