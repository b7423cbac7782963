"""A presentation while this process works with it: what it is, what exists of it, and who hears of progress."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from ottserver.transcode import store
from ottserver.transcode.board import from_segments
from ottserver.transcode.errands import due
from ottserver.transcode.forms import extras_of
from ottserver.transcode.outlook import Speed, units_of
from ottserver.transcode.plan import leads
from ottserver.transcode.segmentmap import SegmentMap

if TYPE_CHECKING:
    from ottserver.media import Presentation
    from ottserver.transcode.errands import Errand
    from ottserver.transcode.models import EncodingPlan
    from ottserver.transcode.store import Stored

_PAUSE_SECONDS = 0.25
_RECENT_SECONDS = 60.0
_SPARED_SECONDS = 30.0


class Progress(Protocol):
    """Whoever shows progress to people."""

    def publish(self, topic: str, payload: dict[str, object]) -> None:
        """Tell them. Never waits."""
        ...


class Title:
    """One presentation in hand."""

    def __init__(
        self,
        presentation: Presentation,
        plan: EncodingPlan,
        row: Stored,
        *,
        progress: Progress,
    ) -> None:
        """`row` is what the database has of the presentation, `plan` the plan in it."""
        self.presentation = presentation
        self.sizes = {rendition.name: rendition.width * rendition.height for rendition in presentation.renditions}
        """Pixels of each rendition's picture; 0 for sound."""
        self.speed = Speed()
        self.plan = row.plan
        """As JSON, as workers take it."""
        self.source_key = row.source_key
        self.inits = row.inits
        """Digests of init segments by rendition."""
        self.extras = extras_of(row.extras)
        self.from_segments = from_segments(plan)
        """The storyboard that is to be drawn from segments; nothing where key frames are as good."""
        self.errands = due(plan, self.extras)
        """What is to be made beside the segments, before them."""
        self.later: list[Errand] = []
        """What is to be made from segments, once they are there."""
        if self.from_segments is not None and "storyboard" in self.errands:
            self.errands.remove("storyboard")
            self.later.append("storyboard")
        self.map = SegmentMap(presentation, leads(plan))
        self.damage: dict[str, dict[int, str]] = store.damage_of(row)
        """Segments that could not be made, by rendition and index, with reasons."""
        self.mended = False
        """Whether one of them could be made after all, which is still to be written down."""
        self.checked = row.state == "complete"
        """Whether every segment was looked at after the last one was made."""
        self.unchecked = 0
        """How often that could not be done, whatever is wrong with the title."""
        self.remade: Counter[tuple[str, int]] = Counter()
        """How often segments were made again because they were found wrong."""
        self._spared: dict[tuple[str, int], tuple[float, str]] = {}
        self.listed = False
        """Whether the map knows all that is in the blob store."""
        self.listing = asyncio.Lock()
        self.gone = False
        """Whether it was removed: nothing more is published."""
        self.work: set[asyncio.Task[bool]] = set()
        """Background jobs in hand."""
        self.served = 0
        """The background's turn in which something was last made of it."""
        self.told = 0
        """How often those who look on were told of it."""
        self._watched = -_RECENT_SECONDS
        self._progress = progress
        self._last = 0.0
        self._later: asyncio.TimerHandle | None = None

    @property
    def id(self) -> str:
        """The presentation's id."""
        return self.presentation.id

    def errand(self) -> Errand | None:
        """Take what is to be made next beside the segments; nothing where nothing can be by now."""
        if self.errands:
            # A new film is looked at before it is played, and its pictures cost no more than some segments.
            return self.errands.pop(0)
        if self.later and self.from_segments is not None:
            left = self.map.left()
            if not left[self.from_segments.rung] and not left[self.from_segments.large]:
                return self.later.pop(0)
        return None

    def put_back(self, errand: Errand) -> None:
        """An errand that was taken could not be tried."""
        (self.later if errand == "storyboard" and self.from_segments else self.errands).append(errand)

    def removed(self) -> bool:
        """Whether it has been removed by now: to be asked again after every wait."""
        return self.gone

    def look(self, index: int) -> None:
        """A player is at segment `index`."""
        self.map.cursor = index
        self._watched = asyncio.get_running_loop().time()

    @property
    def units_left(self) -> int:
        """The work that is left, as `Speed` counts it."""
        return units_of(self.sizes, self.map.left())

    @property
    def made(self) -> float:
        """Share of the work that is done, 0 to 1; what is copied is none."""
        counts = self.map.counts()
        whole = units_of(self.sizes, {name: counts[name][1] for name in self.map.left()})
        return 1 - self.units_left / whole if whole else 1.0

    def units_until(self) -> dict[str, int]:
        """The work until each rendition that is not all made has its last segment.

        Rungs are made together, so that one of which more is there is not ready sooner unless its last segment is.
        """
        left = self.map.left()
        return {name: units_of(self.sizes, self.map.until(name)) for name, count in left.items() if count}

    @property
    def watched(self) -> bool:
        """Whether somebody plays it."""
        return asyncio.get_running_loop().time() - self._watched < _RECENT_SECONDS

    def mark(self, rendition: str, index: int, reason: str) -> None:
        """A segment could not be made, and will not be tried again in the background."""
        self.damage.setdefault(rendition, {})[index] = reason
        self.map.mark(rendition, index)
        self.spare(rendition, index, reason)

    def spare(self, rendition: str, index: int, reason: str) -> None:
        """Try a segment that has just failed for a player not at once again."""
        self._spared[rendition, index] = (asyncio.get_running_loop().time() + _SPARED_SECONDS, reason)

    def refusal(self, rendition: str, index: int) -> str:
        """Why a segment is not tried at the moment; nothing where it may be."""
        until, reason = self._spared.get((rendition, index), (0.0, ""))
        if until > asyncio.get_running_loop().time():
            return reason
        self._spared.pop((rendition, index), None)
        return ""

    def add(self, rendition: str, index: int) -> None:
        """A segment exists; whoever looks is told, at most four times a second."""
        if self.damage.get(rendition, {}).pop(index, None) is not None:
            self.mended = True
        if not self.map.add(rendition, index) or not self.listed or self._later is not None:
            return
        loop = asyncio.get_running_loop()
        self._later = loop.call_later(max(0.0, self._last + _PAUSE_SECONDS - loop.time()), self.tell)

    def tell(self) -> None:
        """Tell whoever looks how far it is."""
        self.hush()
        self.told += 1
        self._last = asyncio.get_running_loop().time()
        payload: dict[str, object] = {
            "source_id": self.presentation.source_id,
            "presentation_id": self.id,
            "renditions": {name: [ready, total] for name, (ready, total) in self.map.counts().items()},
            "complete": self.map.complete,
        }
        self._progress.publish("transcode", payload)

    def hush(self) -> None:
        """Take back what was about to be told."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
