"""Which segments of a presentation exist, are being made, or could not be made; and what to make next. Pure.

The blob store is the truth: the map is filled from it and follows what is published.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ottserver.media import Presentation

_MISSING, _READY, _CLAIMED, _FAILED = range(4)
_FIRST = 2
# So many segments of every rendition come before all others: a film starts at once in any quality.
AUDIO_BATCH = 60
"""Sound is decoded once for this many segments."""
TURN = 6
"""So many segments of all rungs a run may have made before others get their turn."""
_APART = 12
# A second run in the same stretch begins at most so far behind the first, which comes to its place by and by.


@dataclass(frozen=True, slots=True)
class Work:
    """Segments that one job makes from one decoding: a stretch of some rungs, or of one track."""

    kind: str
    renditions: tuple[str, ...]
    first: int
    count: int = 1

    @property
    def segments(self) -> list[tuple[str, int]]:
        """Every rendition and index that the work covers, in the order in which they are made."""
        return [(name, index) for index in range(self.first, self.first + self.count) for name in self.renditions]


class SegmentMap:
    """The state of every segment of one presentation."""

    def __init__(self, presentation: Presentation, leads: Sequence[int] = ()) -> None:
        """Begin with nothing made.

        `leads` has, for every segment, how many pictures must be decoded before its first one; a run ends, if it can,
        where the next one begins with little of that.
        """
        made = [rendition for rendition in presentation.renditions if not rendition.copied]
        self._states = {rendition.name: bytearray(rendition.segments) for rendition in made}
        self._rungs = [rendition.name for rendition in made if rendition.kind == "video"]
        self._tracks = [rendition.name for rendition in made if rendition.kind == "audio"]
        self._copied = {rendition.name: rendition.segments for rendition in presentation.renditions if rendition.copied}
        self._leads = leads
        self._alone: set[int] = set()
        self.cursor = 0
        """Where a player was last: what follows is made first."""

    def counts(self) -> dict[str, tuple[int, int]]:
        """Segments ready and in all, by rendition; what is copied from the source is always ready."""
        made = {name: (states.count(_READY), len(states)) for name, states in self._states.items()}
        return made | {name: (count, count) for name, count in self._copied.items()}

    @property
    def complete(self) -> bool:
        """Whether every segment is ready."""
        return all(states.count(_READY) == len(states) for states in self._states.values())

    @property
    def missing(self) -> int:
        """How many segments are neither ready nor given up."""
        return sum(len(states) - states.count(_READY) - states.count(_FAILED) for states in self._states.values())

    def left(self) -> dict[str, int]:
        """How many segments of each rendition are neither ready nor given up."""
        return {
            name: len(states) - states.count(_READY) - states.count(_FAILED) for name, states in self._states.items()
        }

    def until(self, rendition: str) -> dict[str, int]:
        """How many segments of each rendition are made until this one has its last, onwards from where a player is."""
        turned = self._from_cursor(rendition)
        reach = max(turned.rfind(_MISSING), turned.rfind(_CLAIMED)) + 1
        if not reach:
            return dict.fromkeys(self._states, 0)
        first = min(found for found in (turned.find(_MISSING), turned.find(_CLAIMED)) if found >= 0)
        # Sound is some segments ahead of the pictures: its last batch is made before what lies beside it.
        pictures = reach if rendition in self._rungs else first + (reach - 1 - first) // AUDIO_BATCH * AUDIO_BATCH
        ends = {name: pictures if name in self._rungs else reach for name in self._states}
        within = {name: self._from_cursor(name)[:end] for name, end in ends.items()}
        return {name: states.count(_MISSING) + states.count(_CLAIMED) for name, states in within.items()}

    def _from_cursor(self, rendition: str) -> bytearray:
        """The states of its segments in the order in which they are made."""
        states = self._states[rendition]
        return states[self.cursor :] + states[: self.cursor]

    @property
    def begun(self) -> bool:
        """Whether the first segments of every rendition are made, or being made."""
        return all(_MISSING not in states[:_FIRST] for states in self._states.values())

    def is_ready(self, rendition: str, index: int) -> bool:
        """Whether the segment exists, or comes from the source."""
        return rendition in self._copied or self._states[rendition][index] == _READY

    def add(self, rendition: str, index: int) -> bool:
        """The segment exists. Whether that is news; a segment that the presentation does not have is not."""
        states = self._states.get(rendition, b"")
        if not 0 <= index < len(states) or states[index] == _READY:
            return False
        self._states[rendition][index] = _READY
        return True

    def mark(self, rendition: str, index: int) -> None:
        """The segment could not be made: the background leaves it out. A player may still ask for it."""
        self._states[rendition][index] = _FAILED

    def lose(self, rendition: str, index: int) -> None:
        """The segment exists no longer."""
        self._states[rendition][index] = _MISSING

    def fail(self, work: Work) -> list[tuple[str, int]]:
        """The work could not get beyond the first segment that it has not made; what is given up of it.

        Where several rungs were made together nothing is given up yet: each is tried by itself.
        """
        left = [(name, index) for name, index in work.segments if self._states[name][index] == _CLAIMED]
        if not left:
            return []
        index = left[0][1]
        failed = [(name, index) for name, other in left if other == index]
        if len(work.renditions) > 1:
            self._alone.add(index)
            return []
        for name, _ in failed:
            self._states[name][index] = _FAILED
        return failed

    def release(self, work: Work) -> None:
        """What the work has not made can be claimed again."""
        for name, index in work.segments:
            if self._states[name][index] == _CLAIMED:
                self._states[name][index] = _MISSING

    def reserve(self, rendition: str, index: int) -> Work | None:
        """Take a segment off what is missing, for a player; what to release afterwards, if it was."""
        if self._states[rendition][index] != _MISSING:
            return None
        self._states[rendition][index] = _CLAIMED
        return Work("audio" if rendition in self._tracks else "video", (rendition,), index)

    def claim(self) -> Work | None:
        """The next work, taken off what is missing: first segments, then onwards from where a player is.

        Of pictures it is one segment, which `grow` makes a run.
        """
        work = self._first() or self._onwards()
        return None if work is None else self._take(work)

    def grow(self, run: Work) -> Work | None:
        """The run with the segment behind it, which is taken off what is missing.

        Nothing where that is not missing, and after a turn's length where the sound at the place is: pictures would be
        of no use without.
        """
        index = run.first + run.count
        if self._missing_at(index) != run.renditions or not self._alone.isdisjoint({run.first, index}):
            return None
        if run.count >= TURN and any(
            self._states[name][index : index + 1] == bytes([_MISSING]) for name in self._tracks
        ):
            return None
        self._take(Work(run.kind, run.renditions, index))
        return replace(run, count=run.count + 1)

    def _take(self, work: Work) -> Work:
        for name, index in work.segments:
            self._states[name][index] = _CLAIMED
        return work

    @property
    def unclaimed(self) -> int:
        """How many segments of the rung that has most nobody has taken yet."""
        return max((self._states[name].count(_MISSING) for name in self._rungs), default=0)

    def _first(self) -> Work | None:
        for name in self._tracks:
            index = self._states[name].find(_MISSING, 0, _FIRST)
            if index >= 0:
                return Work("audio", (name,), index, self._stretch((name,), index, _FIRST - index))
        wanted = (index for index in range(_FIRST) if self._missing_at(index) and not self._led_to(index))
        return next((self._video(index) for index in wanted), None)

    def _onwards(self) -> Work | None:
        ahead = [(self._ahead(name), place) for place, name in enumerate((*self._tracks, *self._rungs))]
        nearest = min(((steps, place) for steps, place in ahead if steps is not None), default=None)
        if nearest is None:
            return None
        steps, place = nearest
        index = (self.cursor + steps) % len(next(iter(self._states.values())))
        if place < len(self._tracks):
            name = self._tracks[place]
            return Work("audio", (name,), index, self._stretch((name,), index, AUDIO_BATCH))
        return self._video(self._beside(index))

    def _beside(self, index: int) -> int:
        """Where a run begins for which `index` is the next missing segment.

        Where another one is about to come there by itself it leaves the nearer half to that, and begins, if it can,
        where little has to be decoded before.
        """
        if not self._led_to(index):
            return index
        left = self._stretch(self._missing_at(index), index, 2 * _APART)
        middle, around = index + left // 2, left // 4
        places = range(middle - around, middle + around + 1)
        return min(places, key=lambda place: (self._leads[place] if self._leads else 0, abs(place - middle)))

    def _led_to(self, index: int) -> bool:
        """Whether a run at work makes the segment before, in all rungs that are missing here."""
        return index > 0 and all(self._states[name][index - 1] == _CLAIMED for name in self._missing_at(index))

    def _missing_at(self, index: int) -> tuple[str, ...]:
        rungs = self._rungs
        return tuple(name for name in rungs if index < len(self._states[name]) and not self._states[name][index])

    def _video(self, index: int) -> Work:
        names = self._missing_at(index)
        return Work("video", names[:1] if index in self._alone else names, index)

    def _stretch(self, names: tuple[str, ...], index: int, most: int) -> int:
        """How many segments from `index` on are missing in all of these renditions, at most `most`."""
        count = 1
        while (
            count < most
            and index + count < len(self._states[names[0]])
            and index + count not in self._alone
            and all(self._states[name][index + count] == _MISSING for name in names)
        ):
            count += 1
        return count

    def _ahead(self, name: str) -> int | None:
        """Segments from the cursor to the next missing one, round the film's end."""
        states = self._states[name]
        index = states.find(_MISSING, self.cursor)
        if index < 0:
            index = states.find(_MISSING)
            return None if index < 0 else index + len(states) - self.cursor
        return index - self.cursor
