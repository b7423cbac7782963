"""Live progress: what happens this second, for whoever is looking. Nothing here is kept; facts are in the outbox."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

QUEUE_LIMIT = 256


@dataclass(frozen=True, slots=True)
class Progress:
    """One message: what it is about, and JSON-ready members."""

    topic: str
    payload: dict[str, object]


class LiveFeed:
    """Hands each message to every listener; a listener that does not keep up loses the oldest ones."""

    def __init__(self) -> None:
        """Start with no listener."""
        self._queues: set[asyncio.Queue[Progress]] = set()

    def publish(self, topic: str, payload: dict[str, object]) -> None:
        """Tell every listener. Never waits."""
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(Progress(topic, payload))

    @contextmanager
    def listening(self) -> Iterator[asyncio.Queue[Progress]]:
        """A queue that receives messages while the context lasts."""
        queue: asyncio.Queue[Progress] = asyncio.Queue(QUEUE_LIMIT)
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)
