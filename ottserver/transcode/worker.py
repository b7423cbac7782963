"""A worker process: `python -m ottserver.transcode.worker PARENT_PID NICE THREADS`.

Reads jobs from standard input and answers on standard output as `wire` says; ends when its input does, or its parent.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ottserver.backends.ffmpeg.child import confine, take_stdout
from ottserver.transcode import wire
from ottserver.transcode.artwork import pictures
from ottserver.transcode.audio import audio_init, audio_segments
from ottserver.transcode.plan import PLAN, digest
from ottserver.transcode.video import video_init, video_segments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ottserver.transcode.models import EncodingPlan

    Made = Iterator[tuple[wire.Header, bytes]]

_MEMORY_BYTES = 16 << 30


def _init(plan: EncodingPlan, job: dict[str, Any], threads: int) -> Made:  # noqa: ARG001 - every kind of job has the same shape
    for init in (*(video_init(plan, rung) for rung in plan.rungs), *(audio_init(track) for track in plan.tracks)):
        yield {"rendition": init.rendition, "codecs": init.codecs}, init.data


def _video(plan: EncodingPlan, job: dict[str, Any], threads: int) -> Made:
    rungs = [plan.rung(name) for name in job["rungs"]]
    for name, init, media in video_segments(Path(job["path"]), plan, rungs, job["index"], threads=threads):
        yield {"rendition": name, "index": job["index"], "init": digest(init)}, media


def _audio(plan: EncodingPlan, job: dict[str, Any], threads: int) -> Made:  # noqa: ARG001 - as above
    track = plan.track(job["track"])
    for index, init, media in audio_segments(Path(job["path"]), plan, track, job["first"], job["count"]):
        yield {"rendition": track.name, "index": index, "init": digest(init)}, media


def _artwork(plan: EncodingPlan, job: dict[str, Any], threads: int) -> Made:
    for name, data in pictures(Path(job["path"]), plan, threads=threads).items():
        yield {"picture": name}, data


_KINDS: dict[str, Callable[[EncodingPlan, dict[str, Any], int], Made]] = {
    "init": _init,
    "video": _video,
    "audio": _audio,
    "artwork": _artwork,
}


def main() -> None:
    """Do jobs until standard input ends."""
    parent, nice, threads = map(int, sys.argv[1:4])
    confine(parent=parent, nice=nice, memory_bytes=_MEMORY_BYTES)
    with os.fdopen(take_stdout(), "wb") as out, os.fdopen(os.dup(0), "rb") as jobs:
        while (frame := wire.read(jobs)) is not None:
            job, _ = frame
            try:
                for about, data in _KINDS[job["kind"]](PLAN.validate_json(job["plan"]), job, threads):
                    out.write(wire.pack({"item": about}, data))
                    out.flush()
                answer: wire.Header = {"done": True}
            except Exception as failure:  # noqa: BLE001 - whatever a file does to FFmpeg fails its job, not the worker
                answer = {"failed": f"{type(failure).__name__}: {failure}"}
            out.write(wire.pack(answer))
            out.flush()


if __name__ == "__main__":
    main()
