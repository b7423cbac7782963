"""How long a film has still to be encoded, as far as that can be told from what was measured. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NEW = 0.3
"""Weight of the latest measurement in the moving average, once there are some."""
_ENOUGH = 3
"""After so many measurements something can be told."""
_SOUND = 40_000
"""What a segment of sound costs, in pixels of picture: 0.1 s against some 0.8 s for 480p."""


class Speed:
    """Worker seconds for a unit of work: one pixel's share of one segment."""

    def __init__(self) -> None:
        """Begin without a measurement."""
        self._average = 0.0
        self._times = 0

    def note(self, units: int, seconds: float) -> None:
        """A job did so much work in so long."""
        if units > 0:
            self._times += 1
            self._average += max(_NEW, 1 / self._times) * (seconds / units - self._average)

    def seconds(self, units: int) -> float | None:
        """How long one worker takes for so much work; nothing before enough was measured."""
        return units * self._average if self._times >= _ENOUGH else None


def units_of(sizes: Mapping[str, int], segments: Mapping[str, int]) -> int:
    """The work in so many segments of each rendition, whose pictures have `sizes` pixels (0: it is sound)."""
    return sum((sizes[name] or _SOUND) * count for name, count in segments.items())
