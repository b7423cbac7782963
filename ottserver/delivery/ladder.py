"""Which renditions of a presentation a plan's greatest height opens."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ottserver.media import Presentation, Rendition


def rungs(presentation: Presentation, max_height: int) -> tuple[Rendition, ...]:
    """The video renditions that a plan up to `max_height` opens, lowest first; never empty where there is video."""
    return tuple(rung for rung in presentation.video if presentation.needed_height(rung) <= max_height)


def ceiling(presentation: Presentation, max_height: int) -> int:
    """The greatest height class that a plan up to `max_height` opens. Plans with one ceiling share manifests."""
    return max((rung.height_class for rung in rungs(presentation, max_height)), default=0)


def above(presentation: Presentation, max_height: int) -> tuple[str, ...]:
    """Names of the renditions, the original among them, that a plan up to `max_height` leaves out."""
    if max_height >= max((rendition.height_class for rendition in presentation.renditions), default=0):
        return ()
    return tuple(r.name for r in presentation.renditions if presentation.needed_height(r) > max_height)


def original_alone(presentation: Presentation, original: Rendition) -> Presentation:
    """The presentation as manifests of the original announce it: that is its one rung, beside the same sound."""
    return replace(presentation, renditions=(replace(original, group="ladder"), *presentation.audio))
