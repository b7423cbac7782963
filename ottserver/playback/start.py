"""With which quality a player does well to begin. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ottserver.playback.models import Start

if TYPE_CHECKING:
    from ottserver.media import Presentation

_SHARE = 0.9
# Players take a rendition when it needs at most some nine tenths of the line that they believe in.


def first_quality(presentation: Presentation, max_height: int, prompt: frozenset[str]) -> Start:
    """The best rung up to `max_height` that is among `prompt`, those that need no encoding; else the lowest there is.

    A rung that has still to be encoded costs the server the more time the larger it is, and a first picture should not
    wait for that; a better one follows as soon as the player has measured its line.
    """
    lowest, *others = presentation.video
    allowed = [lowest, *(rung for rung in others if rung.height_class <= max_height)]
    best = max((rung for rung in allowed if rung.name in prompt), key=lambda rung: rung.height_class, default=lowest)
    sound = max((track.bandwidth for track in presentation.audio), default=0)
    return Start(best.height_class, round((best.bandwidth + sound) / _SHARE))
