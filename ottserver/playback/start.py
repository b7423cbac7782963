"""With which quality a player does well to begin. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ottserver.playback.models import Quality, Start

if TYPE_CHECKING:
    from ottserver.media import Presentation

_SHARE = 0.9
# Players take a rendition when it needs at most some nine tenths of the line that they believe in.


def first_quality(presentation: Presentation, max_height: int, prompt: frozenset[str]) -> Start:
    """The best rung up to `max_height` that is among `prompt`, those that need no encoding; else the lowest there is.

    A rung that has still to be encoded costs the server the more time the larger it is, and a first picture should not
    wait for that; a better one follows as soon as the player has measured its line. Those below it that come as soon,
    and the lowest, are for players whose line is slower.
    """
    lowest, *others = presentation.video
    allowed = [lowest, *(rung for rung in others if rung.height_class <= max_height)]
    sound = max((track.bandwidth for track in presentation.audio), default=0)
    qualities = [
        Quality(rung.height_class, round((rung.bandwidth + sound) / _SHARE))
        for rung in sorted(allowed, key=lambda rung: -rung.height_class)
        if rung.name in prompt or rung is lowest
    ]
    return Start(qualities[0].height, qualities[0].bandwidth, tuple(qualities[1:]))
