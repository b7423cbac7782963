from __future__ import annotations

from ottserver.ids import new_id
from ottserver.media import Presentation, Rendition
from ottserver.playback.models import Quality, Start
from ottserver.playback.start import first_quality


def rung(height: int, bandwidth: int) -> Rendition:
    return Rendition(f"v{height}", "video", "avc1.64001f", bandwidth, bandwidth, 1000, (0, 2000), height_class=height)


SOUND = Rendition("a0", "audio", "mp4a.40.2", 100_000, 90_000, 48_000, (0, 96_256))
FILM = Presentation("ab" * 16, new_id(), 2.0, (rung(480, 800_000), rung(720, 2_600_000), rung(1080, 5_300_000), SOUND))
EVERY = frozenset({"v480", "v720", "v1080"})


def test_what_nobody_has_made_begins_with_the_lowest() -> None:
    assert first_quality(FILM, 1080, frozenset()) == Start(480, 1_000_000)


def test_what_needs_no_encoding_begins_with_the_best_that_the_plan_allows() -> None:
    medium, least = Quality(720, 3_000_000), Quality(480, 1_000_000)
    assert first_quality(FILM, 1080, EVERY) == Start(1080, 6_000_000, (medium, least))
    assert first_quality(FILM, 720, EVERY) == Start(720, 3_000_000, (least,))


def test_a_copied_rung_is_begun_with_although_those_below_have_to_be_made() -> None:
    copied = frozenset({"v1080"})
    assert first_quality(FILM, 1080, copied) == Start(1080, 6_000_000, (Quality(480, 1_000_000),))
    assert first_quality(FILM, 720, frozenset({"v1080"})).height == 480


def test_a_plan_below_every_rung_begins_with_the_one_that_it_opens() -> None:
    film = Presentation("ab" * 16, new_id(), 2.0, (rung(1080, 5_400_000),))
    assert first_quality(film, 480, frozenset({"v1080"})) == Start(1080, 6_000_000)


def test_a_second_of_the_film_is_in_the_segment_that_shows_it() -> None:
    cut = Rendition("v480", "video", "avc1.64001f", 1, 1, 1000, (0, 2000, 4000, 5000))
    assert [cut.index_at(second) for second in (-1, 0, 1.999, 2, 4.5, 5, 99)] == [0, 0, 0, 1, 2, 2, 2]
