"""Which segments of a presentation exist, are being made, or could not be made; and what to make next. Pure.

The blob store is the truth: the map is filled from it and follows what is published.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ottserver.media import Presentation

_MISSING, _READY, _CLAIMED, _FAILED = range(4)
_FIRST = 2
# So many segments of every rendition come before all others: a film starts at once in any quality.
AUDIO_BATCH = 10
"""Sound is decoded once for this many segments."""


@dataclass(frozen=True, slots=True)
class Work:
    """Segments that one background job makes: some rungs of one segment, or a stretch of one track."""

    kind: str
    renditions: tuple[str, ...]
    first: int
    count: int = 1

    @property
    def segments(self) -> list[tuple[str, int]]:
        """Every rendition and index that the work covers."""
        return [(name, index) for name in self.renditions for index in range(self.first, self.first + self.count)]


class SegmentMap:
    """The state of every segment of one presentation."""

    def __init__(self, presentation: Presentation) -> None:
        """Begin with nothing made."""
        self._states = {rendition.name: bytearray(rendition.segments) for rendition in presentation.renditions}
        self._rungs = [rendition.name for rendition in presentation.video]
        self._tracks = [rendition.name for rendition in presentation.audio]
        self.cursor = 0
        """Where a player was last: what follows is made first."""

    def counts(self) -> dict[str, tuple[int, int]]:
        """Segments ready and in all, by rendition."""
        return {name: (states.count(_READY), len(states)) for name, states in self._states.items()}

    @property
    def complete(self) -> bool:
        """Whether every segment is ready."""
        return all(states.count(_READY) == len(states) for states in self._states.values())

    def is_ready(self, rendition: str, index: int) -> bool:
        """Whether the segment exists."""
        return self._states[rendition][index] == _READY

    def add(self, rendition: str, index: int) -> bool:
        """The segment exists. Whether that is news; a segment that the presentation does not have is not."""
        states = self._states.get(rendition, b"")
        if not 0 <= index < len(states) or states[index] == _READY:
            return False
        self._states[rendition][index] = _READY
        return True

    def fail(self, work: Work) -> None:
        """What the work has not made is not tried again in the background."""
        self._turn(work, _FAILED)

    def release(self, work: Work) -> None:
        """What the work has not made can be claimed again."""
        self._turn(work, _MISSING)

    def _turn(self, work: Work, state: int) -> None:
        for name, index in work.segments:
            if self._states[name][index] == _CLAIMED:
                self._states[name][index] = state

    def claim(self) -> Work | None:
        """The next work, taken off what is missing: first segments, then onwards from where a player is."""
        work = self._first() or self._onwards()
        if work is not None:
            for name, index in work.segments:
                self._states[name][index] = _CLAIMED
        return work

    def _first(self) -> Work | None:
        for index in range(_FIRST):
            for name in (*self._tracks, *self._rungs):
                states = self._states[name]
                if index < len(states) and states[index] == _MISSING:
                    return Work("audio" if name in self._tracks else "video", (name,), index)
        return None

    def _onwards(self) -> Work | None:
        ahead = [(self._ahead(name), place) for place, name in enumerate((*self._tracks, *self._rungs))]
        nearest = min(((steps, place) for steps, place in ahead if steps is not None), default=None)
        if nearest is None:
            return None
        steps, place = nearest
        index = (self.cursor + steps) % len(next(iter(self._states.values())))
        if place < len(self._tracks):
            name = self._tracks[place]
            stretch = self._states[name][index : index + AUDIO_BATCH]
            return Work("audio", (name,), index, len(stretch) - len(stretch.lstrip(bytes([_MISSING]))))
        return Work("video", tuple(name for name in self._rungs if self._states[name][index] == _MISSING), index)

    def _ahead(self, name: str) -> int | None:
        """Segments from the cursor to the next missing one, round the film's end."""
        states = self._states[name]
        index = states.find(_MISSING, self.cursor)
        if index < 0:
            index = states.find(_MISSING)
            return None if index < 0 else index + len(states) - self.cursor
        return index - self.cursor
