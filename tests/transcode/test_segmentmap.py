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
    while (work := claimed(segments)) is not None:
        found.append(work)
        add(segments, work)
    return found


def add(segments: SegmentMap, work: Work | None) -> None:
    assert work is not None
    for name, index in work.segments:
        segments.add(name, index)


def claimed(segments: SegmentMap, most: int = 6) -> Work | None:
    """The next work, which grows up to `most` segments where it can."""
    work = segments.claim()
    while work is not None and work.kind == "video" and work.count < most and (grown := segments.grow(work)):
        work = grown
    return work


def test_first_segments_of_every_rendition_come_first() -> None:
    work = all_work(SegmentMap(presentation()))
    assert work[:2] == [Work("audio", ("a0",), 0, 2), Work("video", ("v480", "v720"), 0, 6)]


def test_everything_is_made_once_with_all_rungs_of_a_segment_together() -> None:
    segments = SegmentMap(presentation())
    made = [segment for work in all_work(segments) for segment in work.segments]
    assert sorted(made) == sorted((name, index) for name in ("v480", "v720", "a0") for index in range(30))
    assert segments.complete
    assert segments.counts() == {"v480": (30, 30), "v720": (30, 30), "a0": (30, 30)}


def test_what_follows_a_player_is_made_before_the_rest() -> None:
    segments = SegmentMap(presentation())
    for _ in range(2):  # the first two of sound, and of pictures
        add(segments, claimed(segments, 2))
    segments.cursor = 20
    assert claimed(segments) == Work("audio", ("a0",), 20, 10)
    segments.add("v480", 26)
    run = claimed(segments, 9)
    assert run == Work("video", ("v480", "v720"), 20, 6)
    add(segments, run)
    assert claimed(segments, 9) == Work("video", ("v720",), 26)
    segments.add("v720", 26)
    assert claimed(segments, 9) == Work("video", ("v480", "v720"), 27, 3)
    assert claimed(segments) == Work("audio", ("a0",), 2, 18)


def test_second_run_leaves_the_nearer_half_to_the_first_and_begins_at_a_key_frame() -> None:
    # Ten-second groups of pictures, five segments of two seconds in each.
    segments = SegmentMap(presentation(), leads=[48 * (index % 5) for index in range(30)])
    claims = [work for _ in range(8) if (work := segments.claim()) is not None and work.kind == "video"]
    assert claims[:3] == [Work("video", ("v480", "v720"), first) for first in (0, 15, 10)]


def test_run_grows_up_to_what_another_one_has_taken() -> None:
    segments = SegmentMap(presentation())
    for index in range(30):
        segments.add("a0", index)
    first, *others = [work for _ in range(4) if (work := segments.claim()) is not None]
    while (grown := segments.grow(first)) is not None:
        first = grown
    assert 0 < first.first + first.count == min(other.first for other in others)


def test_run_lets_the_sound_of_its_place_be_made_after_a_turn() -> None:
    segments = SegmentMap(presentation())
    segments.claim()
    pictures = claimed(segments, 20)
    assert pictures == Work("video", ("v480", "v720"), 0, 6)
    add(segments, pictures)
    assert claimed(segments, 20) == Work("audio", ("a0",), 2, 28)
    assert claimed(segments, 20) == Work("video", ("v480", "v720"), 6, 20)


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
    while (work := claimed(segments)) is not None:
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


def test_rendition_ends_with_what_is_made_before_its_last_segment() -> None:
    segments = SegmentMap(presentation())
    for index in range(10, 30):
        segments.add("v480", index)
    assert segments.until("v480") == {"v480": 10, "v720": 10, "a0": 10}
    assert segments.until("v720") == {"v480": 10, "v720": 30, "a0": 30}
    # Sound is made in batches of ten, each before the pictures that lie beside it.
    assert segments.until("a0") == {"v480": 0, "v720": 0, "a0": 30}
    for index in range(30):
        segments.add("a0", index)
    assert set(segments.until("a0").values()) == {0}
    # A player in the middle: what lies before it comes last.
    segments.cursor = 20
    assert segments.until("v480") == {"v480": 10, "v720": 20, "a0": 0}
    segments.add("v720", 29)
    for index in range(20):
        segments.add("v720", index)
    segments.claim()
    assert segments.until("v720") == {"v480": 0, "v720": 9, "a0": 0}
    assert segments.until("v480") == {"v480": 10, "v720": 9, "a0": 0}
