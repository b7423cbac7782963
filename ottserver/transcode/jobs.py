"""Jobs that workers do, as values that cross the pipe. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Lane = Literal["urgent", "background"]
"""`urgent`: a player waits for it; `background`: made ahead of time."""


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work; `kind` names the worker's function, `fields` are its JSON-ready arguments."""

    kind: Literal["init", "video", "audio", "slice", "glance", "storyboard", "sheet", "artwork", "subtitles", "check"]
    fields: Mapping[str, Any]

    def finished(self, items: int) -> int:
        """How many of its segments a run has wholly made that has given so many items."""
        return items // len(self.fields.get("rungs") or (None,)) if "count" in self.fields else 0

    def rest(self, finished: int) -> Job:
        """What is left of a run whose first segments are made."""
        fields = {"first": self.fields["first"] + finished, "count": self.fields["count"] - finished}
        return Job(self.kind, {**self.fields, **fields})


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a job made: what it is, and its bytes."""

    about: Mapping[str, Any]
    data: bytes


def init_job(plan_json: str, path: str) -> Job:
    """Make the init segment of every rendition; items are about `rendition` and `codecs`.

    The source is read for copies only.
    """
    return Job("init", {"plan": plan_json, "path": path})


def slice_job(plan_json: str, path: str, copy: str, index: int) -> Job:
    """Cut segment `index` of a copy or a copied track; its item is about the same as those of `video_job`."""
    return Job("slice", {"plan": plan_json, "path": path, "copy": copy, "index": index})


def video_job(plan_json: str, path: str, rungs: list[str], first: int, count: int) -> Job:
    """Make `count` segments of the named rungs from one decoding.

    Items are about `rendition`, `index` and `init`, the digest of the init segment that they fit.
    """
    return Job("video", {"plan": plan_json, "path": path, "rungs": rungs, "first": first, "count": count})


def audio_job(plan_json: str, path: str, track: str, first: int, count: int) -> Job:
    """Make `count` segments of a track from one decoding; items are about the same as those of `video_job`."""
    return Job("audio", {"plan": plan_json, "path": path, "track": track, "first": first, "count": count})


def errand_job(errand: Literal["glance", "storyboard", "subtitles"], plan_json: str, path: str) -> Job:
    """Make an extra.

    Items are about `extra`, a name below the film's extras, about `picture`, a name among its artwork, or have the
    errand's `result`.
    """
    return Job(errand, {"plan": plan_json, "path": path})


def sheet_job(plan_json: str, board: Mapping[str, Any], number: int, init: str, segments: list[str]) -> Job:
    """Draw a sheet of a storyboard from segments, named by path, one for each tile; its item is about `extra`."""
    fields = {"plan": plan_json, "board": board, "number": number, "init": init, "segments": segments}
    return Job("sheet", fields)


def artwork_job(plan_json: str, rung: str, init: str, segments: list[tuple[int, str]]) -> Job:
    """Choose pictures from segments of a rung: index, path; items as of `errand_job`."""
    return Job("artwork", {"plan": plan_json, "rung": rung, "init": init, "segments": segments})


def check_job(plan_json: str, init: str, segments: list[tuple[int, str, int]]) -> Job:
    """Decode segments: index, path, samples expected; items are about `index` and what is `wrong`, or nothing."""
    return Job("check", {"plan": plan_json, "init": init, "segments": segments})
