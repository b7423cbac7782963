from __future__ import annotations

from ottserver.media import Presentation, Rendition
from ottserver.transcode.segmentmap import SegmentMap, Work


def presentation(segments: int = 30) -> Presentation:
    bounds = tuple(range(segments + 1))
    names = {"v480": "video", "v720": "video", "a0": "audio"}
    renditions = tuple(
        Rendition(name, "audio" if kind == "audio" else "video", "", 1, 1, 1, bounds) for name, kind in names.items()
    )
    return Presentation("0" * 32, "source", float(segments), renditions)


def all_work(segments: SegmentMap) -> list[Work]:
    found = []
    while (work := segments.claim()) is not None:
        found.append(work)
        for name, index in work.segments:
            segments.add(name, index)
    return found


def test_first_segments_of_every_rendition_come_first_lowest_rung_before_higher_ones() -> None:
    work = all_work(SegmentMap(presentation()))
    assert [(one.renditions[0], one.first) for one in work[:6]] == [
        ("a0", 0), ("v480", 0), ("v720", 0), ("a0", 1), ("v480", 1), ("v720", 1),
    ]  # fmt: skip


def test_everything_is_made_once_with_all_rungs_of_a_segment_together() -> None:
    segments = SegmentMap(presentation())
    made = [segment for work in all_work(segments) for segment in work.segments]
    assert sorted(made) == sorted((name, index) for name in ("v480", "v720", "a0") for index in range(30))
    assert segments.complete
    assert segments.counts() == {"v480": (30, 30), "v720": (30, 30), "a0": (30, 30)}


def test_what_follows_a_player_is_made_before_the_rest() -> None:
    segments = SegmentMap(presentation())
    for _ in range(6):  # the first two of three renditions
        segments.claim()
    segments.cursor = 20
    assert segments.claim() == Work("audio", ("a0",), 20, 10)
    assert segments.claim() == Work("video", ("v480", "v720"), 20)
    segments.add("v480", 21)
    assert segments.claim() == Work("video", ("v720",), 21)
    for _ in range(8):
        segments.claim()
    assert segments.claim() == Work("audio", ("a0",), 2, 10)


def test_interrupted_work_is_claimed_again_and_failed_work_is_not() -> None:
    segments = SegmentMap(presentation(1))
    work = segments.claim()
    assert work is not None
    segments.release(work)
    assert segments.claim() == work
    segments.fail(work)
    assert work not in all_work(segments)
    assert not segments.complete
    assert segments.add(work.renditions[0], 0)
    assert segments.complete


def test_blobs_that_are_no_segments_of_the_presentation_are_ignored() -> None:
    segments = SegmentMap(presentation(3))
    assert not segments.add("v480", 3)
    assert not segments.add("v999", 0)
    assert segments.add("v480", 2)
    assert not segments.add("v480", 2)
