"""Reads the next segments of those who watch in order into memory before they ask. Nothing is ever made for it."""

from __future__ import annotations

import asyncio
from functools import partial
from posixpath import normpath
from typing import TYPE_CHECKING, Protocol

from ottserver.delivery.edge import NotMade
from ottserver.delivery.paths import SEGMENT_SUFFIX, InsideAddress, address
from ottserver.delivery.viewers import Place
from ottserver.errors import OttError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ottserver.delivery.edge import Edge
    from ottserver.delivery.viewers import Viewers
    from ottserver.media import Presentation, Rendition

SEGMENTS_AHEAD = 2
READS_LIMIT = 16
"""Reads ahead at once, for all viewers: what players wait for comes first."""
AGAIN_SECONDS = 10.0
"""A next segment that was not there is looked for again after so long."""


class Made(Protocol):
    """Whoever has the segments that exist."""

    async def made(self, presentation_id: str, rendition: str, index: int) -> bytes:
        """A media segment that exists, else nothing. Raises `OttError`."""
        ...


def place_of(viewers: Viewers, presentation: Presentation, rendition: Rendition, index: int) -> Place:
    """Where a segment that exists in the rendition is."""
    inside = f"{presentation.id}/{rendition.name}"
    boundaries, timescale = rendition.boundaries, rendition.timescale
    stretch = viewers.stretch(inside, boundaries[-1] / timescale, rendition.segments)
    following = f"{inside}/{index + 1}{SEGMENT_SUFFIX}" if index + 1 < rendition.segments else ""
    return Place(stretch, index, boundaries[index] / timescale, following, rendition.name)


class ReadAhead:
    """Fills the edge a little ahead of viewers."""

    def __init__(
        self, edge: Edge, viewers: Viewers, segments: Made, seen: Callable[[str], Presentation | None]
    ) -> None:
        """Read from `segments`; `seen` gives a presentation that is in memory."""
        self._edge = edge
        self._viewers = viewers
        self._segments = segments
        self._seen = seen
        self._reads: set[asyncio.Task[None]] = set()

    def follow(self, place: Place) -> None:
        """Somebody who watches in order has taken the segment at `place`. Never waits."""
        if not place.following or self._edge.holds(place.following):
            return
        now = self._viewers.now()
        if now - place.looked_at < AGAIN_SECONDS:
            return
        place.looked_at = now
        self.read(place.following, SEGMENTS_AHEAD)

    def hint(self, presentation_id: str, rendition: str, following: str, max_height: int) -> None:
        """A player says what it will ask for next, relative to a segment of the rendition. Never waits or raises."""
        inside = normpath(f"{presentation_id}/{rendition}/{following.partition('?')[0]}")
        if inside.startswith(f"{presentation_id}/") and not self._edge.holds(inside):
            self.read(inside, 1, max_height)

    def read(self, inside: str, count: int, max_height: int | None = None) -> None:
        """Read the segment at `inside` and those after it, so many in all, where the presentation has been seen.

        With `max_height`, only what a plan of that height opens. Whatever is wrong with the address, nothing happens.
        """
        wanted = address(inside)
        if not isinstance(wanted, InsideAddress) or len(self._reads) >= READS_LIMIT:
            return
        presentation, index = self._seen(wanted.presentation_id), wanted.index
        rendition = None if presentation is None else presentation.rendition(wanted.rendition)
        if presentation is None or rendition is None or index is None:
            return
        if max_height is not None and presentation.needed_height(rendition) > max_height:
            return
        read = asyncio.create_task(self._read(presentation, rendition, range(index, index + count)))
        self._reads.add(read)
        read.add_done_callback(self._reads.discard)

    async def close(self) -> None:
        """Cancel what is being read."""
        for read in self._reads:
            read.cancel()
        await asyncio.gather(*self._reads, return_exceptions=True)

    async def _read(self, presentation: Presentation, rendition: Rendition, indices: range) -> None:
        needed = presentation.needed_height(rendition)
        for index in indices:
            if index >= rendition.segments:
                return
            place = place_of(self._viewers, presentation, rendition, index)
            made = partial(self._segments.made, presentation.id, rendition.name, index)
            key = f"{presentation.id}/{rendition.name}/{index}{SEGMENT_SUFFIX}"
            try:
                await self._edge.ahead(key, made, f"{rendition.kind}/mp4", needed, place)
            except (NotMade, OttError):
                return  # whoever asks for it is told why
