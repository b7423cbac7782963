"""Which renditions of a presentation a plan's greatest height opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ottserver.media import Presentation, Rendition


def needed_height(presentation: Presentation, rendition: Rendition) -> int:
    """The least `max_height` of a plan that opens the rendition: 0 for audio and for the lowest rung.

    A plan buys every title at some height. Where even the lowest rung is above the plan, that rung is it: a ladder of
    one rung (an original that is only passed through) must not turn a paid plan into an empty manifest.
    """
    lowest = min((rung.height_class for rung in presentation.video), default=0)
    return 0 if rendition.height_class <= lowest else rendition.height_class


def rungs(presentation: Presentation, max_height: int) -> tuple[Rendition, ...]:
    """The video renditions that a plan up to `max_height` opens, lowest first; never empty where there is video."""
    return tuple(rung for rung in presentation.video if needed_height(presentation, rung) <= max_height)


def ceiling(presentation: Presentation, max_height: int) -> int:
    """The greatest height class that a plan up to `max_height` opens. Plans with one ceiling share manifests."""
    return max((rung.height_class for rung in rungs(presentation, max_height)), default=0)
