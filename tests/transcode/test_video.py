from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from ottserver.ingest.probe import probe
from ottserver.transcode.decode import numbered_frames
from ottserver.transcode.models import EncoderSettings, LadderStep
from ottserver.transcode.plan import grid_of, video_bandwidth
from ottserver.transcode.video import video_init, video_segments
from tests.transcode.clips import Clip, broadcast, number_on, numbers_in, packets_of, turn, write
from tests.transcode.stitching import SETTINGS, SMALL, plan_of, stitched_video

if TYPE_CHECKING:
    from pathlib import Path

    from av.video.frame import VideoFrame

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
    Clip("dvd.mpg", codec="mpeg2video", size=(352, 288), options=(("g", "12"), ("bf", "2"), ("b", "1500k")),
    format="vob"), Clip("interlaced.mpg", codec="mpeg2video", size=(352, 288), format="vob",
         options=(("g", "12"), ("bf", "2"), ("b", "1500k"), ("flags", "+ildct+ilme"))),
    Clip("uneven.mkv", times=UNEVEN, rate=Fraction(30)),
    Clip("web.webm", codec="libvpx", options=(("deadline", "realtime"), ("cpu-used", "8"), ("b", "400k"), ("g", "50"))),
    Clip("old.avi", codec="mpeg4", options=(("g", "40"), ("b", "900k"))),
    Clip("one.mp4", seconds=0.04),
    Clip("two.mp4", seconds=0.08),
]  # fmt: skip


def shown(source: Path, report: SourceReport, turned: int = 0) -> list[int]:
    """What the grid should show, by a full decode and the rule: the last frame at or before each place."""
    video = report.video
    placed: list[tuple[int, int]] = []
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            stamp = frame.dts if frame.pts is None else frame.pts
            assert stamp is not None
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


def test_broadcast_in_which_sound_begins_on_the_way_is_read_to_its_last_picture(tmp_path: Path) -> None:
    source = broadcast(tmp_path)
    report = probe(source)

    pictures = list(numbered_frames(source, report.video, grid_of(plan_of(report)), 380, threads=1))

    assert pictures[-1][0] == report.video.frames - 1
    assert number_on(pictures[-1][1]) == 49


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_phone_film_is_made_upright(degrees: int, tmp_path: Path) -> None:
    source = turn(write(Clip("phone.mp4", seconds=2, size=(320, 180)), tmp_path), degrees)
    report = probe(source)
    assert report.video.rotation == degrees
    plan = plan_of(report, SMALL)
    assert (plan.rungs[0].width, plan.rungs[0].height) == ((160, 90) if degrees == 180 else (90, 160))

    whole = stitched_video(source, plan, tmp_path / "stitched.mp4")

    assert numbers_in(whole, turned=degrees // 90) == list(range(50))


def test_anamorphic_film_gets_square_pixels(tmp_path: Path) -> None:
    clip = Clip("pal.mkv", seconds=1, size=(360, 288), aspect=Fraction(64, 45))
    report = probe(write(clip, tmp_path))
    assert Fraction(report.video.sample_aspect) == Fraction(64, 45)
    rung = plan_of(report, SETTINGS).rungs[0]
    assert (rung.width, rung.height, rung.height_class) == (512, 288, 480)


def test_demo_film_shows_the_same_pictures_as_its_source(bbb_1080p: Path, tmp_path: Path) -> None:
    report = probe(bbb_1080p)
    plan = plan_of(report, SETTINGS)
    assert report.video.frames == 720
    assert [rung.name for rung in plan.rungs] == ["v480", "v720", "v1080"]
    init = video_init(plan, plan.rungs[0])
    with av.open(str(bbb_1080p)) as container:
        originals = [small(frame) for frame, _ in zip(container.decode(video=0), range(300), strict=False)]
    for index in (5, 0):
        (part,) = (made.media for made in video_segments(bbb_1080p, plan, plan.rungs[:1], index, threads=2))
        made = tmp_path / f"{index}.mp4"
        made.write_bytes(init.data + part)
        with av.open(str(made)) as container:
            pictures = [small(frame) for frame in container.decode(video=0)]
        assert len(pictures) == 48
        for place, picture in enumerate(pictures, index * 48):
            nearby = range(max(0, place - 3), place + 4)
            away = {number: float(np.abs(picture - originals[number]).mean()) for number in nearby}
            assert away[place] <= min(away.values()) + 0.35


def small(frame: VideoFrame) -> np.ndarray:
    return frame.reformat(width=96, height=54).to_ndarray()[:54].astype(np.float32)


def test_colours_keep_their_values_and_are_named(tmp_path: Path) -> None:
    source = write(Clip("bars.mp4", seconds=1, size=(320, 180), pixel_format="yuvj420p"), tmp_path)
    plan = plan_of(probe(source), SMALL)
    whole = stitched_video(source, plan, tmp_path / "stitched.mp4")
    with av.open(str(whole)) as container:
        frame = [*container.decode(video=0)][15]
        assert (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc) == (1, 1, 1, 1)
        luma = frame.to_ndarray()[:90]
    # The source's full range 235 and 16, in the limited range of 16 to 235.
    assert abs(int(luma[45, 150]) - 218) <= 3
    assert abs(int(luma[45, 5]) - 30) <= 3


@pytest.mark.parametrize("transfer", [16, 18])
def test_high_dynamic_range_is_brought_into_the_standard_range(transfer: int, tmp_path: Path) -> None:
    options = (("preset", "ultrafast"), ("g", "25"))
    clip = Clip("hdr.mkv", seconds=1, pixel_format="yuv420p10le", transfer=transfer, options=options)
    source = write(clip, tmp_path)
    report = probe(source)
    assert report.video.color_transfer == {16: "smpte2084", 18: "arib-std-b67"}[transfer]
    plan = plan_of(report, SMALL)
    whole = stitched_video(source, plan, tmp_path / "stitched.mp4")
    assert numbers_in(whole) == list(range(25))


def test_damage_in_the_middle_holds_the_picture_and_goes_on(tmp_path: Path) -> None:
    options = (("preset", "ultrafast"), ("bf", "0"), ("g", "10"), ("sc_threshold", "0"))
    source = write(Clip("damaged.ts", seconds=8, options=options), tmp_path)
    report = probe(source)
    data = bytearray(source.read_bytes())
    data[len(data) * 2 // 5 : len(data) * 3 // 5] = bytes(len(data) * 3 // 5 - len(data) * 2 // 5)
    source.write_bytes(data)
    plan = plan_of(report)
    numbers = numbers_in(stitched_video(source, plan, tmp_path / "stitched.mp4"))
    assert len(numbers) == 200
    assert numbers[:70] == list(range(70))
    assert numbers[-70:] == list(range(130, 200))
    assert max(later - earlier for earlier, later in pairwise(numbers)) > 20


@pytest.mark.parametrize(
    "clip",
    [
        Clip("shared.mp4", seconds=4),
        Clip("pq.mkv", seconds=4, pixel_format="yuv420p10le", transfer=16, options=(("preset", "ultrafast"),)),
    ],
    ids=lambda clip: clip.name,
)
def test_all_rungs_from_one_decoding_equal_those_made_alone(clip: Clip, tmp_path: Path) -> None:
    source = write(clip, tmp_path)
    settings = EncoderSettings(
        segment_seconds=(2.0,),
        ladder=(LadderStep("v90", 160, 90, 200_000, 28), LadderStep("v180", 320, 180, 400_000, 28)),
        preset="ultrafast",
    )
    report = probe(source)
    # With its own packets as the top rung there would be only one to make.
    plan = plan_of(replace(report, video=replace(report.video, closed=False)), settings)
    together = {made.rendition: made.media for made in video_segments(source, plan, plan.rungs, 1, threads=1)}
    alone = {
        rung.name: made.media for rung in plan.rungs for made in video_segments(source, plan, [rung], 1, threads=1)
    }
    assert set(together) == {"v90", "v180"}
    assert together == alone


def test_no_segment_exceeds_the_declared_bandwidth(tmp_path: Path) -> None:
    noise = np.random.default_rng(7)
    source = tmp_path / "noise.mkv"
    with av.open(str(source), "w") as out:
        stream = out.add_stream("mpeg2video", rate=25, options={"b": "20M", "g": "12"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for _ in range(100):
            picture = av.VideoFrame.from_ndarray(noise.integers(0, 256, (180, 320, 3), np.uint8), format="rgb24")
            out.mux(stream.encode(picture.reformat(format="yuv420p")))
        out.mux(stream.encode(None))
    plan = plan_of(probe(source), SMALL)
    grid, rung = grid_of(plan), plan.rungs[0]
    for index in range(grid.segments):
        (media,) = (made.media for made in video_segments(source, plan, [rung], index, threads=1))
        seconds = (grid.starts[index + 1] - grid.starts[index]) / grid.rate
        assert len(media) * 8 / seconds <= video_bandwidth(rung, grid)
