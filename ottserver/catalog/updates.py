"""Which videos have just changed, for administrators who look on: nothing is lost, much at once is one update."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ottserver.errors import Busy

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTENERS = 64


class Listener:
    """One onlooker's list of videos that changed since it last took them; at most one entry for each video."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._changed: dict[str, None] = {}
        self._wake = asyncio.Event()
        self.closed = False

    def mark(self, video_id: str) -> None:
        """Note that the video changed."""
        self._changed[video_id] = None
        self._wake.set()

    def close(self) -> None:
        """Let `take` return at once from now on."""
        self.closed = True
        self._wake.set()

    async def take(self, within: float) -> list[str]:
        """The videos that changed, as soon as there are any; none after `within` seconds, or when it is closed."""
        try:
            async with asyncio.timeout(within):
                await self._wake.wait()
        except TimeoutError:
            return []
        if not self.closed:
            self._wake.clear()
        changed = list(self._changed)
        self._changed.clear()
        return changed


class Updates:
    """Tells all listeners."""

    def __init__(self) -> None:
        """Start with no listener."""
        self._listeners: set[Listener] = set()
        self._closed = False

    def mark(self, video_id: str) -> None:
        """Tell every listener that the video changed, or is gone."""
        for listener in self._listeners:
            listener.mark(video_id)

    @contextmanager
    def listening(self) -> Iterator[Listener]:
        """A listener for as long as the context lasts. Raises `Busy` when there are too many."""
        if len(self._listeners) >= LISTENERS:
            message = f"{LISTENERS} event streams are open already."
            raise Busy(message, retry_after=10)
        listener = Listener()
        if self._closed:
            listener.close()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """End every listener, and those that come."""
        self._closed = True
        for listener in self._listeners:
            listener.close()
