"""A day's evening at an edge, made from a seed: who asks for which segment of which title, when, and how large it is.

What it imitates: titles whose popularity follows Zipf's law and drifts, with releases that jump to the top; episodes
that are watched one after another; viewers who come at random times, more in the evening, start at the beginning or
where they had stopped, look in and leave, or watch to the end; seeks and pauses; players that fetch some seconds
ahead, begin low and change rungs; sound and pictures as requests of their own, of the sizes that the ladder gives.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import NamedTuple

SEGMENT_SECONDS = 6.0
RUNGS = (480, 720, 1080)
MEAN_BITS = (600_000, 1_700_000, 3_600_000)
AUDIO = len(RUNGS)
AUDIO_BYTES = 97_000
AHEAD_SECONDS = 30.0
"""How far ahead of the picture that is shown a player fetches."""
BEHIND_SECONDS = 30.0
"""How much of what was shown a player keeps: a short seek back fetches nothing."""
_ZIPF = 0.9
_WAVERING = 0.25
"""Share of the viewers whose line does not always bear their best rung."""
_SERIES_SHARE = 0.6
_EPISODES = 8
_DRIFT_SECONDS = 900.0


def _happens(choose: random.Random, chance: float) -> bool:
    return choose.random() < chance


class Request(NamedTuple):
    """One segment asked for. `rendition` counts rungs from the lowest; the one after the highest is the sound."""

    at: float
    session: int
    title: int
    rendition: int
    segment: int
    size: int


@dataclass(frozen=True, slots=True)
class Title:
    """A film, or an episode of a series."""

    segments: int
    heaviness: float
    """How many bits it takes beside the mean one."""
    noise: int
    following: int | None
    """The next episode."""


class World:
    """Titles and what their segments weigh: the same for everybody, always."""

    def __init__(self, choose: random.Random, shows: int) -> None:
        """So many shows: each a film, or a series of some episodes."""
        self.titles: list[Title] = []
        self.shows: list[range] = []
        for _ in range(shows):
            first = len(self.titles)
            if _happens(choose, _SERIES_SHARE):
                minutes, count = choose.choice((22, 30, 42, 50)), _EPISODES
            else:
                minutes, count = choose.randint(82, 145), 1
            heaviness = math.exp(choose.gauss(0, 0.35))
            for number in range(count):
                following = first + number + 1 if number + 1 < count else None
                segments = round(minutes * choose.uniform(0.95, 1.05) * 60 / SEGMENT_SECONDS)
                self.titles.append(Title(segments, heaviness, choose.randrange(1 << 30), following))
            self.shows.append(range(first, first + count))

    def size(self, title: int, rendition: int, index: int) -> int:
        """Bytes of a segment: capped constant quality, so scenes differ by some factors and a ceiling is kept."""
        about = self.titles[title]
        if rendition == AUDIO:
            return AUDIO_BYTES + (about.noise + index * 7919) % 900
        scene = math.exp(0.45 * math.sin((about.noise % 997) + index / 9.0) + 0.25 * math.sin(index * 1.7))
        mean = MEAN_BITS[rendition] / 8 * SEGMENT_SECONDS
        return round(min(mean * about.heaviness * scene, 1.6 * mean))


class _Popularity:
    """Zipf's law over shows, whose order drifts: every quarter of an hour some change places, and one is released."""

    def __init__(self, choose: random.Random, shows: int) -> None:
        self._choose = choose
        self._order = list(range(shows))
        choose.shuffle(self._order)
        self._weights = [1 / (rank + 1) ** _ZIPF for rank in range(shows)]
        self._drifted = 0.0

    def show(self, at: float) -> int:
        while at - self._drifted > _DRIFT_SECONDS:
            self._drifted += _DRIFT_SECONDS
            for _ in range(len(self._order) // 8):
                place = self._choose.randrange(1, len(self._order))
                self._order[place - 1], self._order[place] = self._order[place], self._order[place - 1]
            if _happens(self._choose, 0.25):
                self._order.insert(self._choose.randrange(3), self._order.pop())
        return self._choose.choices(self._order, self._weights)[0]


class _Session:
    """One viewer from the first segment to the last: fills `requests` in the order of time."""

    def __init__(self, world: World, choose: random.Random, number: int, requests: list[Request]) -> None:
        self._world = world
        self._choose = choose
        self._number = number
        self._requests = requests
        self._best = choose.choices(range(len(RUNGS)), (0.2, 0.35, 0.45))[0]
        """The rung that its line bears."""
        self._wavers = _happens(choose, _WAVERING)

    def watch(self, title: int, at: float, first: int) -> float:
        """Play from segment `first`; the time of the end."""
        choose, about = self._choose, self._world.titles[title]
        index, rung, changes_at = first, min(1, self._best), first + 1
        leaves = about.segments
        if _happens(choose, 0.3):  # looks in
            leaves = index + round(choose.expovariate(1 / 30.0)) + 1
        elif _happens(choose, 0.4):  # is called away
            leaves = index + round(choose.expovariate(1 / 300.0)) + 10
        shown_from = at - index * SEGMENT_SECONDS
        """When segment 0 would have been shown, had this viewer played all along."""
        while index < min(leaves, about.segments):
            asks = max(at, shown_from + index * SEGMENT_SECONDS - AHEAD_SECONDS)
            if asks == at:  # still filling its buffer
                asks += 0.4 + 0.3 * rung
            at = asks
            for rendition in (rung, AUDIO):
                size = self._world.size(title, rendition, index)
                self._requests.append(Request(at, self._number, title, rendition, index, size))
            index += 1
            if index >= changes_at:
                rung = max(0, self._best - 1) if self._wavers and _happens(choose, 0.4) else self._best
                changes_at = index + round(choose.expovariate(1 / 20.0)) + 1
            if _happens(choose, 0.0024):  # forward, or back to what was not understood
                jump = choose.choice((-10, -50, 5, 15, 50, 100))
                index = min(max(0, index + jump), about.segments - 1)
                shown_from = at - index * SEGMENT_SECONDS
            elif _happens(choose, 0.0018):
                shown_from += choose.expovariate(1 / 240.0)
        return at

    def evening(self, show: range, at: float) -> None:
        """A film, or some episodes on end."""
        choose = self._choose
        title = choose.choices(show, [1 / (episode + 1) for episode in range(len(show))])[0]
        first = 0
        if _happens(choose, 0.25):  # goes on where it had stopped
            first = choose.randrange(self._world.titles[title].segments * 9 // 10)
        while True:
            before = len(self._requests)
            at = self.watch(title, at, first)
            seen_to_end = self._requests[-1].segment == self._world.titles[title].segments - 1
            following = self._world.titles[title].following
            if len(self._requests) == before or not seen_to_end or following is None or _happens(choose, 0.4):
                return
            title, first, at = following, 0, at + AHEAD_SECONDS


def evening(seed: int, *, shows: int, sessions: int, hours: float) -> tuple[list[Request], dict[int, int]]:
    """The requests of so many sessions that begin within so many hours, in the order of time, and titles' segments."""
    choose = random.Random(seed)  # noqa: S311 - a bench keeps no secrets
    world = World(choose, shows)
    popularity = _Popularity(choose, shows)
    starts = sorted(hours * 3600 * choose.triangular(0, 1, 0.7) for _ in range(sessions))
    requests: list[Request] = []
    for number, at in enumerate(starts):
        _Session(world, choose, number, requests).evening(world.shows[popularity.show(at)], at)
    requests.sort(key=lambda request: request.at)
    end = hours * 3600
    return [request for request in requests if request.at < end], {
        number: title.segments for number, title in enumerate(world.titles)
    }
