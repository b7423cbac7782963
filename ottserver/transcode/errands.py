"""Work on a film beside its segments: what is due of it, and what its outcome adds to the film's extras. Pure.

An errand is a job of a worker. It gives any number of blobs and one result, a JSON object; `merged` turns the result
into a field of `Extras`. Nothing that plays waits for an errand.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter

from ottserver.media import Artwork, Extras, Storyboard, TextTrack
from ottserver.transcode.board import glanced

if TYPE_CHECKING:
    from ottserver.transcode.models import EncodingPlan

Errand = Literal["glance", "storyboard", "subtitles"]

ERRANDS: tuple[Errand, ...] = ("glance", "storyboard", "subtitles")
"""Those that workers do, in the order in which they are best done."""

_TEXT = TypeAdapter(tuple[TextTrack, ...])
_STORYBOARD = TypeAdapter(Storyboard)
_ARTWORK = TypeAdapter(Artwork)


def due(plan: EncodingPlan, extras: Extras) -> list[Errand]:
    """What is still to be done."""
    failed = dict(extras.failed)
    open_ones = {
        "glance": extras.board is None and glanced(plan),
        "storyboard": extras.storyboard is None,
        "subtitles": extras.text is None and bool(plan.report.subtitles),
    }
    return [errand for errand in ERRANDS if open_ones[errand] and errand not in failed]


def merged(extras: Extras, errand: Errand, result: dict[str, Any]) -> Extras:
    """The extras with what an errand has made. Raises `pydantic.ValidationError` when the result makes no sense."""
    if errand == "subtitles":
        return replace(extras, text=_TEXT.validate_python(result["tracks"]))
    board = _STORYBOARD.validate_python(result["storyboard"])
    artwork = _ARTWORK.validate_python(result["artwork"]) if "artwork" in result else extras.artwork
    if errand == "glance":
        return replace(extras, glance=board, artwork=artwork)
    return replace(extras, storyboard=board, artwork=artwork)


def missed(extras: Extras, errand: Errand, reason: str) -> Extras:
    """The extras with the reason why an errand could not be done; it is not tried again."""
    return replace(extras, failed=(*extras.failed, (errand, reason)))
