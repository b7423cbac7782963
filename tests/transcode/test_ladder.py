from __future__ import annotations

import pytest

from ottserver.media import VideoStream
from ottserver.transcode.ladder import ladder
from tests.transcode.stitching import LADDER


def source(width: int, height: int, *, aspect: str = "1/1", rotation: int = 0) -> VideoStream:
    return VideoStream(0, "h264", width, height, aspect, rotation, "yuv420p", False, "25/1", "1/25", 0, 100)  # noqa: FBT003 - not interlaced


@pytest.mark.parametrize(
    ("video", "expected"),
    [
        (source(1920, 1080), [(854, 480, 480), (1280, 720, 720), (1920, 1080, 1080)]),
        (source(1920, 800), [(854, 356, 480), (1280, 534, 720), (1920, 800, 1080)]),
        (source(1080, 1920), [(480, 854, 480), (720, 1280, 720), (1080, 1920, 1080)]),
        (source(1920, 1080, rotation=90), [(480, 854, 480), (720, 1280, 720), (1080, 1920, 1080)]),
        (source(1600, 900), [(854, 480, 480), (1280, 720, 720), (1600, 900, 1080)]),
        (source(3840, 2160), [(854, 480, 480), (1280, 720, 720), (1920, 1080, 1080), (3840, 2160, 2160)]),
        (source(7680, 4320), [(854, 480, 480), (1280, 720, 720), (1920, 1080, 1080), (3840, 2160, 2160)]),
        (source(320, 180), [(320, 180, 480)]),
        (source(641, 361), [(642, 362, 480)]),
        (source(720, 576, aspect="64/45"), [(854, 480, 480), (1024, 576, 720)]),
        (source(860, 484), [(852, 480, 480)]),
        (source(2048, 1080), [(854, 450, 480), (1280, 676, 720), (1920, 1012, 1080)]),
    ],
)
def test_rungs_fit_their_boxes_and_never_exceed_the_source(
    video: VideoStream, expected: list[tuple[int, int, int]]
) -> None:
    rungs = ladder(video, LADDER, "veryfast")
    assert [(rung.width, rung.height, rung.height_class) for rung in rungs] == expected
