"""A worker process: `python -m ottserver.transcode.worker PARENT_PID NICE THREADS SECONDS DEVICES`.

Reads jobs from standard input and answers on standard output as `wire` says; ends when its input does, or its parent.
"""

from __future__ import annotations

import base64
import gc
import os
import pickle
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ottserver.backends.ffmpeg.child import allow, confine, keep_memory, take_stdout
from ottserver.media import Storyboard
from ottserver.transcode import wire
from ottserver.transcode.audio import audio_init, audio_segments
from ottserver.transcode.leash import Leash, Stopped
from ottserver.transcode.plan import digest
from ottserver.transcode.slicing import copied_segment, copy_init
from ottserver.transcode.soundslice import copied_sound, sound_init
from ottserver.transcode.storyboard import artwork_of_segments, glance, sheet_of_segments, storyboard
from ottserver.transcode.subtitles import subtitles
from ottserver.transcode.verify import verified
from ottserver.transcode.video import video_init, video_segments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ottserver.transcode.models import EncodingPlan

    Made = Iterator[tuple[wire.Header, bytes]]

_MEMORY_BYTES = 16 << 30
_BASE_BYTES = 3 << 30
_BYTES_PER_PIXEL = 600
# A ladder up to 1080p took 1.2 GB of address space with one thread and 2.4 GB with eight, 0.9 GB of it in use; what
# decoder, look-ahead and encoders hold grows with the picture.
_KEPT_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Task:
    """One job as its function sees it."""

    plan: EncodingPlan
    job: dict[str, Any]
    threads: int
    """For FFmpeg's decoders and encoders."""
    leash: Leash

    @property
    def path(self) -> Path:
        """The source."""
        return Path(self.job["path"])


@lru_cache(maxsize=8)
def _plan(text: str) -> EncodingPlan:
    if not text:
        message = "the plan cannot be read"
        raise ValueError(message)
    plan: EncodingPlan = pickle.loads(base64.b85decode(text))  # noqa: S301 - of the parent, through its own pipe
    return plan


def _init(task: Task) -> Made:
    plan = task.plan
    copied = (copy_init(task.path, plan, copy) for copy in plan.copies)
    encoded = (video_init(plan, rung) for rung in plan.rungs)
    sound = (sound_init(task.path, plan, track) if track.copied else audio_init(track) for track in plan.tracks)
    for init in (*encoded, *copied, *sound):
        yield {"rendition": init.rendition, "codecs": init.codecs}, init.data


def _video(task: Task) -> Made:
    plan, job = task.plan, task.job
    rungs = [plan.rung(name) for name in job["rungs"]]
    for made in video_segments(
        task.path, plan, rungs, job["first"], count=job["count"], threads=task.threads, leash=task.leash
    ):
        yield {"rendition": made.rendition, "index": made.index, "init": digest(made.init)}, made.media


def _slice(task: Task) -> Made:
    plan, name, index = task.plan, task.job["copy"], task.job["index"]
    if any(track.name == name for track in plan.tracks):
        init, media = copied_sound(task.path, plan, plan.track(name), index)
    else:
        init, media = copied_segment(task.path, plan, plan.copy(name), index)
    yield {"rendition": name, "index": index, "init": digest(init)}, media


def _audio(task: Task) -> Made:
    plan, job = task.plan, task.job
    track = plan.track(job["track"])
    for index, init, media in audio_segments(task.path, plan, track, job["first"], job["count"]):
        yield {"rendition": track.name, "index": index, "init": digest(init)}, media


def _glance(task: Task) -> Made:
    yield from glance(task.path, task.plan)


def _storyboard(task: Task) -> Made:
    yield from storyboard(task.path, task.plan)


def _sheet(task: Task) -> Made:
    job = task.job
    paths = [Path(path) for path in job["segments"]]
    yield from sheet_of_segments(task.plan, Storyboard(**job["board"]), job["number"], Path(job["init"]), paths)


def _artwork(task: Task) -> Made:
    job = task.job
    segments = [(index, Path(path)) for index, path in job["segments"]]
    yield from artwork_of_segments(task.plan, task.plan.rung(job["rung"]), Path(job["init"]), segments)


def _subtitles(task: Task) -> Made:
    yield from subtitles(task.path, task.plan, task.leash)


def _check(task: Task) -> Made:
    yield from verified(task.job)


_KINDS: dict[str, Callable[[Task], Made]] = {
    "init": _init,
    "video": _video,
    "audio": _audio,
    "slice": _slice,
    "glance": _glance,
    "storyboard": _storyboard,
    "sheet": _sheet,
    "artwork": _artwork,
    "subtitles": _subtitles,
    "check": _check,
}


def main() -> None:
    """Do jobs until standard input ends."""
    parent, nice, threads, seconds, devices = map(int, sys.argv[1:6])
    confine(parent=parent, nice=nice, memory_bytes=_MEMORY_BYTES, devices=bool(devices))
    keep_memory(_KEPT_BYTES)
    # What was imported lives as long as the process: to look through it at every collection takes 3 % of the time.
    gc.freeze()
    inbox = wire.Inbox(os.dup(0))
    with os.fdopen(take_stdout(), "wb") as out:
        while (job := inbox.read()) is not None:
            # What was said of a run that had ended by itself meanwhile is no job.
            if "kind" in job:
                about = {"job": job.get("job")}
                _do(
                    job,
                    inbox,
                    (threads, seconds, devices),
                    lambda header, data=b"", about=about: _say(out, header | about, data),
                )


def _do(job: dict[str, Any], inbox: wire.Inbox, bounds: tuple[int, int, int], say: Callable[..., None]) -> None:
    """Do one job; the processor time of `bounds` (threads, seconds, devices) is for each thing that it makes."""
    threads, seconds, devices = bounds
    answer: wire.Header = {"done": True}
    try:
        plan = _plan(job["plan"])
        memory = _memory(plan)
        allow(cpu_seconds=threads * seconds, memory_bytes=memory, devices=bool(devices))
        leash = Leash(inbox, job.get("until"), lambda: say({"resting": True}))
        for about, data in _KINDS[job["kind"]](Task(plan, job, threads, leash)):
            _same(plan, job)
            say({"item": about}, data)
            allow(cpu_seconds=threads * seconds, memory_bytes=memory, devices=bool(devices))
    except Stopped:
        pass
    except Exception as failure:  # noqa: BLE001 - whatever a file does to FFmpeg fails its job, not the worker
        answer = {"failed": f"{type(failure).__name__}: {failure}"}
    say(answer)


class SourceChanged(Exception):
    """The source's file is not the one that was probed."""


def _same(plan: EncodingPlan, job: dict[str, Any]) -> None:
    """Raise `SourceChanged` when the source has another size than it had.

    Films that were imported are their owners' own files: what is made of a file that was cut meanwhile would be kept.
    """
    if not job.get("path"):
        return
    size = Path(job["path"]).stat().st_size
    if size != plan.report.size_bytes:
        message = f"the source's file has {size} bytes, and had {plan.report.size_bytes} when it came"
        raise SourceChanged(message)


def _memory(plan: EncodingPlan) -> int:
    """Address space for any job of the plan, in bytes."""
    video = plan.report.video
    return _BASE_BYTES + _BYTES_PER_PIXEL * video.width * video.height


def _say(out: BinaryIO, header: wire.Header, data: bytes) -> None:
    out.write(wire.pack(header, data))
    out.flush()


if __name__ == "__main__":
    main()
