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


def test_first_segments_of_every_rendition_come_first() -> None:
    work = all_work(SegmentMap(presentation()))
    assert work[:2] == [Work("audio", ("a0",), 0, 2), Work("video", ("v480", "v720"), 0, 2)]


def test_everything_is_made_once_with_all_rungs_of_a_segment_together() -> None:
    segments = SegmentMap(presentation())
    made = [segment for work in all_work(segments) for segment in work.segments]
    assert sorted(made) == sorted((name, index) for name in ("v480", "v720", "a0") for index in range(30))
    assert segments.complete
    assert segments.counts() == {"v480": (30, 30), "v720": (30, 30), "a0": (30, 30)}


def test_what_follows_a_player_is_made_before_the_rest() -> None:
    segments = SegmentMap(presentation())
    for _ in range(2):  # the first two of three renditions
        segments.claim()
    segments.cursor = 20
    assert segments.claim() == Work("audio", ("a0",), 20, 10)
    assert segments.claim() == Work("video", ("v480", "v720"), 20, 6)
    segments.add("v480", 26)
    assert segments.claim() == Work("video", ("v720",), 26)
    assert segments.claim() == Work("video", ("v480", "v720"), 27, 3)
    assert segments.claim() == Work("audio", ("a0",), 2, 10)


def test_runs_become_short_towards_the_end_so_that_all_workers_end_together() -> None:
    segments = SegmentMap(presentation(16))
    runs = []
    while (work := segments.claim(2)) is not None:
        if work.kind == "video":
            runs.append(work.count)
        for name, index in work.segments:
            segments.add(name, index)
    assert runs == [2, 4, 3, 2, 2, 1, 1, 1]


def test_runs_end_where_the_next_one_begins_at_a_key_frame() -> None:
    # Ten-second groups of pictures, five segments of two seconds in each.
    segments = SegmentMap(presentation(), leads=[48 * (index % 5) for index in range(30)])
    firsts = [work.first for work in all_work(segments) if work.kind == "video"]
    assert firsts[:5] == [0, 2, 5, 10, 15]


def test_interrupted_work_is_claimed_again_and_failed_work_is_not() -> None:
    segments = SegmentMap(presentation(1))
    work = segments.claim()
    assert work is not None
    segments.release(work)
    assert segments.claim() == work
    assert segments.fail(work) == [("a0", 0)]
    assert work not in all_work(segments)
    assert not segments.complete
    assert segments.add(work.renditions[0], 0)
    assert segments.complete


def test_rung_that_fails_costs_neither_the_other_rungs_nor_the_segments_behind_it() -> None:
    segments = SegmentMap(presentation(8))
    given_up = []
    while (work := segments.claim()) is not None:
        for name, index in work.segments:
            if name == "v720" and index == 3:
                given_up += segments.fail(work)
                break
            segments.add(name, index)
        segments.release(work)
    assert given_up == [("v720", 3)]
    assert segments.counts() == {"v480": (8, 8), "v720": (7, 8), "a0": (8, 8)}


def test_segment_reserved_for_a_player_is_not_made_in_the_background_too() -> None:
    segments = SegmentMap(presentation(1))
    reserved = segments.reserve("v480", 0)
    assert reserved is not None
    assert segments.reserve("v480", 0) is None
    assert {name for work in all_work(segments) for name, _ in work.segments} == {"v720", "a0"}
    segments.release(reserved)
    assert segments.claim() == Work("video", ("v480",), 0)


def test_blobs_that_are_no_segments_of_the_presentation_are_ignored() -> None:
    segments = SegmentMap(presentation(3))
    assert not segments.add("v480", 3)
    assert not segments.add("v999", 0)
    assert segments.add("v480", 2)
    assert not segments.add("v480", 2)
