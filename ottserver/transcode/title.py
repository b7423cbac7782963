"""A presentation while this process works with it: what it is, what exists of it, and who hears of progress."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from ottserver.transcode.segmentmap import SegmentMap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ottserver.media import Extras, Presentation
    from ottserver.transcode.errands import Errand

_PAUSE_SECONDS = 0.25


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
        *,
        plan: str,
        source_key: str,
        inits: Mapping[str, str],
        artwork_due: bool,
        extras: Extras,
        errands: Sequence[Errand],
        progress: Progress,
    ) -> None:
        """`plan` is the encoding plan as JSON, `inits` the digests of init segments by rendition."""
        self.presentation = presentation
        self.plan = plan
        self.source_key = source_key
        self.inits = inits
        self.artwork_due = artwork_due
        self.extras = extras
        self.errands = list(errands)
        """What is to be made beside the segments."""
        self.map = SegmentMap(presentation)
        self.listed = False
        """Whether the map knows all that is in the blob store."""
        self.listing = asyncio.Lock()
        self.gone = False
        """Whether it was removed: nothing more is published."""
        self.work: set[asyncio.Task[bool]] = set()
        """Background jobs in hand."""
        self._progress = progress
        self._last = 0.0
        self._later: asyncio.TimerHandle | None = None

    @property
    def id(self) -> str:
        """The presentation's id."""
        return self.presentation.id

    def add(self, rendition: str, index: int) -> None:
        """A segment exists; whoever looks is told, at most four times a second."""
        if not self.map.add(rendition, index) or not self.listed or self._later is not None:
            return
        loop = asyncio.get_running_loop()
        self._later = loop.call_later(max(0.0, self._last + _PAUSE_SECONDS - loop.time()), self.tell)

    def tell(self) -> None:
        """Tell whoever looks how far it is."""
        self.hush()
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
