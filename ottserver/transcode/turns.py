"""Whose turn it is among viewers who wait for workers: start-time fair queueing. Pure.

Everybody has an account of what workers have begun for them, and whoever had least goes first. Time away is not paid
for: who comes anew, or comes back, begins not at nothing but one segment before the one who had least (Goyal, Vin and
Cheng, SIGCOMM 1996).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

Flow = tuple[str, bool]
"""A viewer's wishes for sound, or for pictures."""
_KEPT = 4096
_SOUND = 0.1
# What a segment of sound costs, in segments of pictures.
_FIRST = 1.0
# Who comes anew is so far before all others: the first segment is the one that somebody sits and waits for.
_DEBT = 2.0
# Who comes back is at most so far behind, whatever there was for them while nobody else wanted anything.
_PATIENCE = 4
# While everybody was to get so many segments, somebody may have been kept back by ever new viewers; then no longer.


class Turns:
    """How much each flow has had, in segments of pictures."""

    def __init__(self) -> None:
        """Nobody has had anything."""
        self._had: dict[Flow, float] = {}
        self._now = 0.0

    def had(self, flow: Flow) -> float:
        """What the flow has had; the least goes first."""
        return self._had.get(flow, self._now)

    def join(self, flow: Flow, busy: Collection[Flow]) -> None:
        """The flow wants something; `busy` are those that want something, or have a worker, already."""
        if flow in busy:
            return
        if not busy:
            self._had, self._now = {}, 0.0
        least = max(self._now, min(map(self.had, busy), default=0.0) - _FIRST)
        kept = {other: had for other, had in self._had.items() if had > least or other in busy}
        if len(kept) > _KEPT:
            kept = {other: had for other, had in kept.items() if other in busy}
        self._had = kept | {flow: min(max(self._had.get(flow, 0.0), least), least + _DEBT)}

    def charge(self, flows: Collection[Flow], busy: int) -> None:
        """A worker begins a segment for these flows, which share its cost; `busy` flows want something in all."""
        cost = _SOUND if all(sound for _, sound in flows) else 1.0
        for flow in flows:
            self._had[flow] = self.had(flow) + cost / len(flows)
        # However many come anew, they do not keep the others back for ever.
        self._now += cost / max(1, busy) / _PATIENCE
