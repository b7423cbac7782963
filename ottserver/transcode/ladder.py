"""The ladder: which sizes a source is offered in. Never larger than the source, upright, square pixels, even sides."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from ottserver.transcode.grid import nearest
from ottserver.transcode.models import LadderStep, Rung

if TYPE_CHECKING:
    from ottserver.media import VideoStream

_WORTH_IT = Fraction(5, 4)
# A rung of the source's own size must have this many times the pixels of the one below, or it only costs bits:
# 2048x1080 would be a "2160p" rung beside 1920x1012.

_BUFFER_SECONDS = 1


def display_size(video: VideoStream) -> tuple[Fraction, Fraction]:
    """Width and height as shown: sample aspect and rotation applied."""
    width, height = video.width * Fraction(video.sample_aspect), Fraction(video.height)
    return (height, width) if video.rotation in (90, 270) else (width, height)


def ladder(video: VideoStream, steps: tuple[LadderStep, ...], preset: str) -> tuple[Rung, ...]:
    """The rungs of a source, lowest first.

    Each box that the source exceeds gives a rung scaled to fit it; the first box that holds the source gives a rung of
    the source's own size. A source within the lowest box has that one rung. A portrait source turns the boxes.
    """
    width, height = display_size(video)
    rungs: list[Rung] = []
    for step in sorted(steps, key=lambda step: step.height):
        box = (step.height, step.width) if height > width else (step.width, step.height)
        scale = min(box[0] / width, box[1] / height)
        kept = min(scale, Fraction(1))
        rung = _rung(step, width * kept, height * kept, preset)
        if scale < 1:
            rungs.append(rung)
            continue
        if not rungs or rung.width * rung.height > _WORTH_IT * rungs[-1].width * rungs[-1].height:
            rungs.append(rung)
        break
    return tuple(rungs)


def _rung(step: LadderStep, width: Fraction, height: Fraction, preset: str) -> Rung:
    return Rung(
        name=step.name,
        width=_even(width),
        height=_even(height),
        height_class=step.height,
        maxrate=step.maxrate,
        bufsize=step.maxrate * _BUFFER_SECONDS,
        crf=step.crf,
        preset=preset,
    )


def _even(side: Fraction) -> int:
    return max(2, 2 * nearest(side / 2))
