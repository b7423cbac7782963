from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING

import av
import pytest

from ottserver.ingest.probe import probe
from ottserver.transcode.plan import grid_of
from tests.transcode.clips import Clip, number_on, numbers_in, packets_of, turn, write
from tests.transcode.stitching import plan_of, stitched_video

if TYPE_CHECKING:
    from pathlib import Path

    from ottserver.media import SourceReport

NTSC = Fraction(30000, 1001)
X264 = (("preset", "ultrafast"), ("bf", "2"), ("g", "60"), ("sc_threshold", "0"))
UNEVEN = tuple(n * 33 + (n // 7) * 20 + (400 if n > 60 else 0) for n in range(140))

CLIPS = [
    Clip("steady.mp4"),
    Clip("film.mkv", rate=Fraction(24000, 1001)),
    Clip("ntsc.mp4", rate=NTSC),
    Clip("fast.mkv", rate=Fraction(60000, 1001), seconds=7),
    Clip("odd-rate.mp4", rate=Fraction(179, 6)),
    Clip("slow.mp4", rate=Fraction(25, 2), seconds=7),
    Clip("late.mkv", first=130),
    Clip("broadcast.ts", first=37, options=(*X264[:2], ("g", "25"), ("bf", "2"))),
    Clip("open-gop.mkv", options=(("preset", "veryfast"), ("x264-params", "open-gop=1:keyint=30:bframes=3"))),
    Clip("long-gop.mp4", seconds=9, options=(("preset", "ultrafast"), ("g", "999"), ("sc_threshold", "0"))),
    Clip("ten-bit.mkv", pixel_format="yuv420p10le"),
    Clip("full-colour.mp4", pixel_format="yuv444p", size=(322, 182)),
    Clip("odd-size.mkv", pixel_format="yuv444p", size=(321, 181)),
    Clip("dvd.mpg", codec="mpeg2video", size=(352, 288), options=(("g", "12"), ("bf", "2"), ("b", "1500k")), format="vob"),
    Clip("interlaced.mpg", codec="mpeg2video", size=(352, 288), format="vob",
         options=(("g", "12"), ("bf", "2"), ("b", "1500k"), ("flags", "+ildct+ilme"))),
    Clip("uneven.mkv", times=UNEVEN, rate=Fraction(30)),
    Clip("web.webm", codec="libvpx", options=(("deadline", "realtime"), ("cpu-used", "8"), ("b", "400k"), ("g", "50"))),
    Clip("old.avi", codec="mpeg4", options=(("g", "40"), ("b", "900k"))),
    Clip("one.mp4", seconds=0.04),
    Clip("two.mp4", seconds=0.08),
]  # fmt: skip


def shown(source: Path, report: SourceReport, turned: int = 0) -> list[int]:
    """What the grid should show, from a full decode and the rule of the grid: the last frame at or before each place."""
    video = report.video
    placed: list[tuple[int, int]] = []
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            stamp = frame.dts if frame.pts is None else frame.pts
            ticks = (stamp - video.origin) * Fraction(video.time_base)
            placed.append((floor(ticks * video.rate + Fraction(1, 2)), number_on(frame, turned=turned)))
    return [
        next(number for at, number in reversed(placed) if at <= place or at == placed[0][0])
        for place in range(video.frames)
    ]


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.name)
def test_stitched_segments_show_every_frame_of_the_source_once_and_in_its_place(clip: Clip, tmp_path: Path) -> None:
    source = write(clip, tmp_path)
    report = probe(source)
    plan = plan_of(report)
    grid = grid_of(plan)

    whole = stitched_video(source, plan, tmp_path / "stitched.mp4")

    assert numbers_in(whole) == shown(source, report)
    if not clip.times:
        assert report.video.frames == clip.frames
        assert report.video.rate == clip.rate
    packets = packets_of(whole)["video"]
    ticks = grid.frame_ticks
    assert sorted(pts for pts, _, _ in packets) == [n * ticks for n in range(report.video.frames)]
    assert [dts for _, dts, _ in packets] == [(n - 2) * ticks for n in range(report.video.frames)]
