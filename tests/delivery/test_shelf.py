from __future__ import annotations

import random

import pytest

from ottserver.delivery.shelf import Shelf
from ottserver.delivery.viewers import SILENT_SECONDS, Place, Stretch, Viewers

SEGMENTS, SECONDS = 500, 4.0


class Clock:
    """Goes when it is told to."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


class Film:
    """One rendition, whose places are remembered as a cache would."""

    def __init__(self, viewers: Viewers, name: str) -> None:
        self.name = name
        self.stretch: Stretch = viewers.stretch(name, SEGMENTS * SECONDS, SEGMENTS)
        self.places = [Place(self.stretch, index, index * SECONDS, "") for index in range(SEGMENTS)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def viewers(clock: Clock) -> Viewers:
    return Viewers(clock)


def watch(viewers: Viewers, clock: Clock, film: Film, name: str, first: int, count: int) -> None:
    for index in range(first, first + count):
        viewers.note(name, film.places[index])
        clock.at += SECONDS


def test_viewer_reaches_a_segment_when_the_clock_says_so(viewers: Viewers, clock: Clock) -> None:
    film = Film(viewers, "p/v480")
    watch(viewers, clock, film, "ann", 0, 10)
    near, far = (viewers.wait(film.places[index], clock.at) for index in (12, 100))
    assert 8 <= near <= 9
    assert far > 30 * near


def test_nobody_is_waited_for_behind_the_last_viewer(viewers: Viewers, clock: Clock) -> None:
    film = Film(viewers, "p/v480")
    watch(viewers, clock, film, "ann", 0, 10)
    assert viewers.wait(film.places[9], clock.at) > 1000
    watch(viewers, clock, film, "bob", 0, 2)
    assert 20 < viewers.wait(film.places[9], clock.at) < 40


def test_one_who_seeks_is_waited_for_where_they_are_now(viewers: Viewers, clock: Clock) -> None:
    film = Film(viewers, "p/v480")
    watch(viewers, clock, film, "ann", 0, 10)
    assert not viewers.note("ann", film.places[300])
    assert viewers.wait(film.places[12], clock.at) > 1000
    assert viewers.wait(film.places[302], clock.at) < 9
    assert viewers.note("ann", film.places[301])


def test_one_who_falls_silent_is_forgotten_everywhere(viewers: Viewers, clock: Clock) -> None:
    film = Film(viewers, "p/v480")
    for number in range(50):
        viewers.note(str(number), film.places[number * 7])
    clock.at += SILENT_SECONDS - 1
    viewers.note("7", film.places[60])
    clock.at += 2
    viewers.forget_silent()
    assert list(film.stretch.followers) == ["7"]
    assert len(film.stretch.begins) == 1
    clock.at += SILENT_SECONDS
    viewers.forget_silent()
    assert not film.stretch.begins


def test_popular_rendition_is_waited_for_less(viewers: Viewers, clock: Clock) -> None:
    film, other = Film(viewers, "p/v480"), Film(viewers, "q/v480")
    for number in range(8):
        watch(viewers, clock, film, f"a{number}", 0, 100)
    watch(viewers, clock, other, "b", 0, 100)
    clock.at += SILENT_SECONDS
    viewers.forget_silent()
    assert 5 * viewers.wait(film.places[50], clock.at) < viewers.wait(other.places[50], clock.at)


def test_two_who_watch_close_to_each_other_share_what_others_do_not_push_out(viewers: Viewers, clock: Clock) -> None:
    """Bob is half a minute behind Ann; twenty others each watch a film alone, with room for a twentieth of all that."""
    films = [Film(viewers, f"{number}/v480") for number in range(21)]
    shelf: Shelf[Place] = Shelf(100, viewers, seed=1)
    hits = 0

    def ask(viewer: str, film: Film, index: int) -> bool:
        place, key = film.places[index], f"{film.name}/{index}"
        viewers.note(viewer, place)
        if shelf.get(key) is not None:
            return True
        shelf.put(key, place, 5, place)
        return False

    for step in range(200):
        ask("ann", films[0], step + 8)
        hits += ask("bob", films[0], step)
        for number, film in enumerate(films[1:]):
            ask(f"alone{number}", film, step)
        clock.at += SECONDS
    assert hits > 180


def test_what_is_no_segment_stays_while_it_is_asked_for(viewers: Viewers, clock: Clock) -> None:
    shelf: Shelf[str] = Shelf(20, viewers, seed=1)
    for number in range(500):
        clock.at += 1
        shelf.put(f"once{number}", "x", 1)
        shelf.put("init", "y", 1)
        assert shelf.get("init") == "y"
        assert "init" in shelf
    assert shelf.get("once100") is None


def test_shelf_never_passes_its_bound_and_never_lies(viewers: Viewers, clock: Clock) -> None:
    choose = random.Random(5)
    film = Film(viewers, "p/v480")
    shelf: Shelf[str] = Shelf(1000, viewers, seed=1)
    for _ in range(10_000):
        clock.at += 0.1
        index = choose.randrange(300)
        if choose.random() < 0.5:
            assert shelf.get(str(index)) in (None, str(index))
        else:
            shelf.put(str(index), str(index), choose.randint(0, 120), film.places[index] if index % 3 else None)
        assert 0 <= shelf.bytes <= 1000
    assert len(shelf) > 5
