from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import av
import pytest

from ottserver.ingest.probe import probe
from ottserver.transcode.passthrough import boundaries
from ottserver.transcode.plan import copy_grid, grid_of
from ottserver.transcode.slicing import Uncut, copied_segment, copy_init
from tests.transcode.clips import Clip, Sound, numbers_in, packets_of, turn, write
from tests.transcode.stitching import SETTINGS, plan_of

if TYPE_CHECKING:
    from pathlib import Path

    from ottserver.transcode.models import Copy, EncodingPlan

SIZE = (160, 90)


def x264(every: int, more: str = "", frames: int = 3) -> tuple[tuple[str, str], ...]:
    """Options for a key picture at every so many frames."""
    words = f"keyint={every}:min-keyint={every}:scenecut=0:bframes={frames}{more}"
    return (("preset", "veryfast"), ("x264-params", words))


def x265(every: int, more: str) -> tuple[tuple[str, str], ...]:
    words = f"keyint={every}:min-keyint={every}:bframes=3:log-level=none:{more}"
    return (("preset", "ultrafast"), ("x265-params", words))


FILM = Clip("film.mp4", seconds=9, size=SIZE, options=x264(50), sounds=(Sound(),))
IN_LADDER = [
    (FILM, (50, 100, 150)),
    (replace(FILM, name="second.mov", options=x264(25)), (50, 100, 150)),
    (replace(FILM, name="five.mp4", seconds=22, options=x264(125)), (125, 250, 375, 500)),
    (replace(FILM, name="film.mkv", rate=Fraction(24000, 1001), seconds=200 * 1001 / 24000,
             options=x264(48)), (48, 96, 144)),
    (replace(FILM, name="broadcast.ts", first=37, options=x264(25, frames=2)), (50, 100, 150)),
    (replace(FILM, name="late.mkv", first=130), (50, 100, 150)),
    (replace(FILM, name="fast.mkv", rate=Fraction(60000, 1001), seconds=5.005, options=x264(120)), (120,)),
    (replace(FILM, name="flat.mp4", options=x264(50, frames=0)), (50, 100, 150)),
    # The whole film is one group of pictures, and one segment.
    (replace(FILM, name="short.mp4", seconds=5, options=x264(250)), ()),
]  # fmt: skip
BESIDE = [
    (replace(FILM, name="ten.mp4", seconds=23, options=x264(250)), (250, 500), "avc1.64000b"),
    (replace(FILM, name="ten-bit.mkv", pixel_format="yuv420p10le"), (50, 100, 150), "avc1.6e000b"),
    (Clip("hevc.mkv", seconds=9, size=SIZE, codec="libx265", options=x265(50, "open-gop=0")), (50, 100, 150), "hvc1."),
    (Clip("hevc.ts", seconds=9, size=SIZE, codec="libx265", options=x265(50, "open-gop=0")), (50, 100, 150), "hvc1."),
    (Clip("web.webm", size=SIZE, codec="libvpx-vp9",
          options=(("deadline", "realtime"), ("cpu-used", "8"), ("g", "50"))), (50,), "vp09.00.10.08"),
    (Clip("next.mkv", size=SIZE, codec="libsvtav1", options=(("preset", "12"), ("g", "50"))), (50,), "av01.0.00M.08"),
]  # fmt: skip
ENCODED = [
    replace(FILM, name="open.mp4", options=x264(50, ":open-gop=1")),
    replace(FILM, name="open.mkv", options=x264(50, ":open-gop=1")),
    Clip("open-hevc.mp4", seconds=9, size=SIZE, codec="libx265", options=x265(50, "open-gop=1")),
    replace(FILM, name="refresh.mp4", options=(("preset", "veryfast"), ("x264-params", "intra-refresh=1:keyint=50"))),
    replace(FILM, name="minute.mp4", seconds=40, options=x264(999)),
    Clip("old.avi", size=SIZE, codec="mpeg4", options=(("g", "40"),)),
    Clip("uneven.mkv", size=SIZE, rate=Fraction(30), times=tuple(n * 33 + (n // 7) * 20 for n in range(140))),
]


def stitched(source: Path, plan: EncodingPlan, copy: Copy, target: Path) -> Path:
    """All segments of a copy, cut one by one and last first, as one file; none may be larger than was declared."""
    grid = copy_grid(plan, copy)
    init = copy_init(source, plan, copy)
    parts = {}
    for index, (start, end) in reversed(list(enumerate(pairwise(grid.starts)))):
        own, parts[index] = copied_segment(source, plan, copy, index)
        assert own == init.data
        assert len(parts[index]) * 8 <= copy.bandwidth * (end - start) / grid.rate
        assert parts[index].count(b"moof") == 1
    target.write_bytes(init.data + b"".join(parts[index] for index in sorted(parts)))
    return target


def assert_same_film(source: Path, plan: EncodingPlan, whole: Path) -> None:
    """Every frame of the source at its place on the grid, with no gap between segments and none twice."""
    grid = grid_of(plan)
    assert numbers_in(whole) == numbers_in(source)
    video = packets_of(whole)["video"]
    assert sorted(pts for pts, _, _ in video) == [n * grid.frame_ticks for n in range(grid.frames)]
    assert all(after - before == grid.frame_ticks for (_, before, _), (_, after, _) in pairwise(video))
    with av.open(str(whole)) as container:
        assert container.streams.video[0].time_base == Fraction(1, grid.timescale)


@pytest.mark.parametrize(("clip", "cuts"), IN_LADDER, ids=lambda value: getattr(value, "name", ""))
def test_own_packets_are_the_top_rung_and_every_rung_has_their_boundaries(
    clip: Clip, cuts: tuple[int, ...], tmp_path: Path
) -> None:
    source = write(clip, tmp_path)
    plan = plan_of(probe(source), SETTINGS)
    (copy,) = plan.copies
    assert (copy.group, copy.name, copy.height_class) == ("ladder", "v480", 480)
    assert plan.rungs == ()
    assert plan.cuts == copy.cuts == cuts
    assert_same_film(source, plan, stitched(source, plan, copy, tmp_path / "stitched.mp4"))


@pytest.mark.parametrize(("clip", "cuts", "codecs"), BESIDE, ids=lambda value: getattr(value, "name", ""))
def test_original_is_beside_the_ladder_on_boundaries_of_its_own(
    clip: Clip, cuts: tuple[int, ...], codecs: str, tmp_path: Path
) -> None:
    source = write(clip, tmp_path)
    plan = plan_of(probe(source), SETTINGS)
    (copy,) = plan.copies
    assert (copy.group, copy.name) == ("original", "original")
    assert copy.codecs.startswith(codecs)
    assert copy.cuts == cuts
    assert [rung.name for rung in plan.rungs] == ["v480"]
    assert plan.cuts is None
    assert_same_film(source, plan, stitched(source, plan, copy, tmp_path / "stitched.mp4"))


@pytest.mark.parametrize("clip", ENCODED, ids=lambda clip: clip.name)
def test_what_cannot_be_cut_is_encoded(clip: Clip, tmp_path: Path) -> None:
    plan = plan_of(probe(write(clip, tmp_path)), SETTINGS)
    assert plan.copies == ()
    assert plan.cuts is None
    assert len(plan.rungs) == 1


def test_lower_rungs_are_encoded_on_the_boundaries_of_the_copy(tmp_path: Path) -> None:
    source = write(replace(FILM, size=(1280, 720), seconds=8, options=x264(125)), tmp_path)
    plan = plan_of(probe(source), SETTINGS)
    assert [rung.name for rung in plan.rungs] == ["v480"]
    assert [copy.name for copy in plan.copies] == ["v720"]
    assert grid_of(plan).starts == (0, 125, 200)


def test_turned_film_is_encoded(tmp_path: Path) -> None:
    source = turn(write(FILM, tmp_path), 90)
    assert plan_of(probe(source), SETTINGS).copies == ()


def test_pixels_that_are_not_square_are_no_rung(tmp_path: Path) -> None:
    source = write(replace(FILM, name="wide.mp4", aspect=Fraction(4, 3)), tmp_path)
    (copy,) = plan_of(probe(source), SETTINGS).copies
    assert (copy.group, copy.width, copy.height) == ("original", 213, 90)


def test_source_that_takes_too_much_is_no_rung(tmp_path: Path) -> None:
    report = probe(write(FILM, tmp_path))
    fat = replace(report.video, key_bytes=tuple(800_000 for _ in report.video.key_bytes))
    (copy,) = plan_of(replace(report, video=fat), SETTINGS).copies
    assert copy.group == "original"
    assert copy.bandwidth > 3_200_000


def test_source_without_a_key_frame_where_one_was_is_refused_in_words(tmp_path: Path) -> None:
    plan = plan_of(probe(write(FILM, tmp_path)), SETTINGS)
    other = write(replace(FILM, options=x264(75)), tmp_path)
    with pytest.raises(Uncut, match="no key frame at frame 50"):
        copied_segment(other, plan, plan.copies[0], 1)


@pytest.mark.parametrize(
    ("keys", "frames", "cuts"),
    [
        (range(0, 1000, 50), 1000, tuple(range(50, 951, 50))),
        # Scene cuts: as near to two seconds as they allow, and none of a few frames.
        ((0, 10, 45, 60, 100, 190, 195), 250, (45, 100, 190)),
        # The rest is too short to be a segment.
        ((0, 50, 100), 110, (50,)),
        ((0, 150, 300), 400, (150, 300)),
        ((0, 151, 300), 400, None),
        ((0, 20, 165), 200, (20, 165)),
        ((0,), 150, ()),
        ((0,), 151, None),
    ],
)
def test_boundaries_are_key_frames_near_the_length_wanted(
    keys: tuple[int, ...], frames: int, cuts: tuple[int, ...] | None, tmp_path: Path
) -> None:
    video = probe(write(FILM, tmp_path)).video
    video = replace(video, keys=tuple(keys), key_bytes=(1000,) * len(keys), frames=frames)
    assert boundaries(video, (2.0,), 6) == cuts
