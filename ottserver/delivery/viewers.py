"""Who watches what, and where: from it follows how soon somebody will ask for a segment.

Films are watched in order and at the pace of the clock. A viewer who is so many seconds before a segment reaches it in
as many seconds, unless they leave; where nobody is before it, its rendition's popularity says how long the next viewer
is to be waited for. General policies of caches see only the past of each key; this comes closer to Belady's rule, to
let go what is asked for latest (docs/adr/0012). The idea is interval caching (Dan and Sitaram, 1996).
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right, insort
from collections import deque
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

SILENT_SECONDS = 45.0
"""A viewer who has asked for nothing of a rendition for so long has left it, or pauses."""
_SAME_SECONDS = 0.5
"""Requests of one viewer come so much early or late without its pace being another."""
_APART_SECONDS = 1.5
"""Viewers so close to each other count as one."""
_LATE_SECONDS = 10.0
"""For so long a viewer who should have asked already is still waited for."""
_FOLLOWERS_SEEN = 3
_STAYING_SECONDS = 600.0
"""Half of all viewers who should come in so many seconds have left, or changed rung, by then."""
_HALF_LIFE_SECONDS = 3600.0
"""After so long a request counts half for a rendition's popularity."""
_AGED_SECONDS = 60.0
_DECAY = 0.693 / _HALF_LIFE_SECONDS
_TRAVEL = 0.5
"""Share of new viewers' way from the beginning that counts: many go on somewhere in the middle."""
_NEVER = 1e9
FOLLOWERS_LIMIT = 200_000
STRETCHES_KEPT = 4_000


class Stretch:
    """One rendition of one presentation: who is in it, and how popular it is."""

    __slots__ = ("__weakref__", "aged_at", "asked", "begins", "followers", "seconds", "segments")

    def __init__(self, seconds: float, segments: int, now: float) -> None:
        """Of so many seconds and segments; nobody is in it."""
        self.seconds = seconds
        self.segments = max(1, segments)
        self.asked = 0.0
        self.aged_at = now
        self.begins: list[float] = []
        """When each follower would have been at the beginning, in order."""
        self.followers: dict[str, _Follower] = {}


class Place:
    """Where a segment is: in which stretch, how many seconds from its beginning, and when it was last asked for."""

    __slots__ = ("asked_at", "following", "index", "looked_at", "rendition", "seconds", "stretch")

    def __init__(self, stretch: Stretch, index: int, seconds: float, following: str = "", rendition: str = "") -> None:
        """`following` is the key of the next segment, nothing for the last; `rendition` is the rendition's name."""
        self.stretch = stretch
        self.index = index
        self.seconds = seconds
        self.following = following
        self.rendition = rendition
        self.asked_at = -_NEVER
        self.looked_at = -_NEVER
        """When the next segment was last looked for ahead of time."""


class _Follower:
    """One viewer in one stretch."""

    __slots__ = ("begins", "index", "name", "seen_at", "stretch")

    def __init__(self, stretch: Stretch, name: str, begins: float, index: int, now: float) -> None:
        self.stretch = stretch
        self.name = name
        self.begins = begins
        self.index = index
        self.seen_at = now


class Viewers:
    """Follows everybody who watches. No call waits for anything; each costs O(log n) of those in one rendition."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Nobody watches; `now` gives seconds."""
        self.now = now
        self._stretches: WeakValueDictionary[str, Stretch] = WeakValueDictionary()
        self._lately: deque[Stretch] = deque(maxlen=STRETCHES_KEPT)
        """So that a rendition's popularity outlives its segments in the cache."""
        self._due: deque[tuple[float, _Follower]] = deque()

    def stretch(self, name: str, seconds: float, segments: int) -> Stretch:
        """The stretch of that name, such as "presentation/v480"."""
        stretch = self._stretches.get(name)
        if stretch is None:
            stretch = self._stretches[name] = Stretch(seconds, segments, self.now())
            self._lately.append(stretch)
        return stretch

    def note(self, viewer: str, place: Place) -> bool:
        """The viewer takes the segment at `place`. Whether they took the one before it just before."""
        now = place.asked_at = self.now()
        stretch = place.stretch
        stretch.asked += 1
        begins = now - place.seconds
        follower = stretch.followers.get(viewer)
        if follower is None:
            self._leave_silent(now)
            if len(self._due) < FOLLOWERS_LIMIT:
                follower = stretch.followers[viewer] = _Follower(stretch, viewer, begins, place.index, now)
                insort(stretch.begins, begins)
                self._due.append((now + SILENT_SECONDS, follower))
            return False
        follower.seen_at = now
        if not -_SAME_SECONDS < follower.begins - begins < _SAME_SECONDS:
            _remove(stretch.begins, follower.begins)
            insort(stretch.begins, begins)
            follower.begins = begins
        steady = place.index == follower.index + 1
        follower.index = place.index
        return steady

    def wait(self, place: Place, now: float) -> float:
        """In how many seconds somebody asks for the segment, as far as can be told."""
        stretch, at = place.stretch, place.seconds
        if now - stretch.aged_at > _AGED_SECONDS:
            stretch.asked *= 0.5 ** ((now - stretch.aged_at) / _HALF_LIFE_SECONDS)
            stretch.aged_at = now
        # New viewers: so many a second, more of them at the beginning.
        often = stretch.asked * _DECAY / stretch.segments * (1.5 - at / stretch.seconds)
        soon = 1 / (1 / (often + 1 / _NEVER) + _TRAVEL * at)
        begins = stretch.begins
        first = bisect_right(begins, max(now - _LATE_SECONDS, place.asked_at + _APART_SECONDS) - at)
        for begin in begins[first : first + _FOLLOWERS_SEEN]:
            seconds = max(1.0, begin + at - now)
            soon += 1 / (seconds * (1 + seconds / _STAYING_SECONDS))
        return 1 / soon

    def forget_silent(self) -> None:
        """Let those go who have not asked for anything lately."""
        self._leave_silent(self.now())

    def _leave_silent(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            _, follower = self._due.popleft()
            silent_at = follower.seen_at + SILENT_SECONDS
            if silent_at > now:
                self._due.append((silent_at, follower))
            else:
                del follower.stretch.followers[follower.name]
                _remove(follower.stretch.begins, follower.begins)


def _remove(begins: list[float], begin: float) -> None:
    del begins[bisect_left(begins, begin)]
