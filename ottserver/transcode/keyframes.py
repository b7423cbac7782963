"""Single pictures from all over a film, by decoding key frames alone: some milliseconds each. Children only."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import TYPE_CHECKING

import av

from ottserver.backends.ffmpeg.sourcefile import open_source, packets
from ottserver.transcode.plan import grid_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream as Demuxed

    from ottserver.transcode.models import EncodingPlan

    Shown = tuple[int, int, VideoFrame | None]
    """Which of the wanted places, the timestamp of the picture there, the picture; nothing for one given before."""

_BACK_OFF_SECONDS = (0.0, 0.7, 2.0, 5.0, 12.0, 30.0, 90.0)
# MPEG-TS and PS have no index: a seek lands anywhere, and the next key frame may be after the place.


class _Unseekable(Exception):
    """The demuxer refuses to seek."""


def shown_at(path: Path, plan: EncodingPlan, frames: Sequence[int], *, seconds: float) -> Iterator[Shown]:
    """The pictures shown at these frames of the grid (ascending), or the last key frames before them.

    They come in no order: far apart first, so that what `seconds` leave no time for is spread over the film. Places
    without a picture of their own, for damage or for want of time, are left out. Interlaced pictures come as they are.
    Raises `av.error.FFmpegError` or `OSError` when the file cannot be read.
    """
    video, until = plan.report.video, time.monotonic() + seconds
    grid, time_base = grid_of(plan), Fraction(video.time_base)
    targets = [grid.ticks_of(frame, video.origin, time_base) for frame in frames]
    try:
        yield from _sought(path, plan, targets, until)
    except _Unseekable:
        yield from _passed(path, plan, targets, until)


def coarse_to_fine(count: int) -> list[int]:
    """The numbers below `count`, each once: every 64th, then those half way between, and so on."""
    order = [number for step in (64, 32, 16, 8, 4, 2, 1) for number in range(0, count, step)]
    return list(dict.fromkeys(order))


def _sought(path: Path, plan: EncodingPlan, targets: list[int], until: float) -> Iterator[Shown]:
    given: dict[int, bool] = {}
    with open_source(path) as container:
        stream = _stream(container, plan)
        for place in coarse_to_fine(len(targets)):
            if given and time.monotonic() > until:
                return
            packet = _key_at(container, stream, targets[place])
            if packet is None:
                continue
            stamp = _stamp(packet)
            frame = None if stamp in given else _picture(stream, packet)
            if given.setdefault(stamp, frame is not None):
                yield place, stamp, frame


def _passed(path: Path, plan: EncodingPlan, targets: list[int], until: float) -> Iterator[Shown]:
    """The same from one reading of the file, where it cannot be sought in."""
    with open_source(path) as container:
        stream = _stream(container, plan)
        place = 0
        last: Packet[Stream] | None = None
        for packet in packets(container, stream):
            if time.monotonic() > until or place == len(targets):
                return
            if packet.size and not packet.is_keyframe:
                continue
            end = not packet.size
            first = place
            while last is not None and place < len(targets) and (end or _stamp(packet) > targets[place]):
                place += 1
            if last is not None and place > first:
                frame = _picture(stream, last)
                if frame is not None:
                    yield from ((done, _stamp(last), frame) for done in range(first, place))
            last = packet


def _stream(container: InputContainer, plan: EncodingPlan) -> Demuxed:
    stream: Demuxed = container.streams[plan.report.video.index]  # type: ignore[assignment] # the probe saw video at this index
    # Threads would only wait for packets that never come.
    stream.thread_type = "NONE"
    stream.codec_context.skip_frame = "NONKEY"
    return stream


def _key_at(container: InputContainer, stream: Demuxed, target: int) -> Packet[Stream] | None:
    """The last key frame at or before a timestamp, or one a little earlier; nothing where there is none."""
    time_base = stream.time_base or Fraction(1, 1000)
    for seconds in _BACK_OFF_SECONDS:
        try:
            container.seek(target - int(Fraction(seconds) / time_base), backward=True, stream=stream)
        except av.error.PermissionError as refused:
            raise _Unseekable from refused
        except av.error.FFmpegError:
            continue
        found = _last_key(container, stream, target)
        if found is not None:
            return found
    return None


def _last_key(container: InputContainer, stream: Demuxed, target: int) -> Packet[Stream] | None:
    found: Packet[Stream] | None = None
    for number, packet in enumerate(packets(container, stream)):
        if not packet.size:
            break
        if packet.is_keyframe and _stamp(packet) <= target:
            found = packet
            if number == 0:
                # The container has an index, and this is what it says.
                break
        if (packet.dts if packet.dts is not None else _stamp(packet)) > target:
            break
    return found


def _stamp(packet: Packet[Stream]) -> int:
    stamp = packet.dts if packet.pts is None else packet.pts
    return 0 if stamp is None else stamp


def _picture(stream: Demuxed, packet: Packet[Stream]) -> VideoFrame | None:
    context = stream.codec_context
    try:
        context.flush_buffers()
        frames = [*context.decode(packet), *context.decode(None)]
        context.flush_buffers()
    except av.error.FFmpegError:
        return None
    for frame in frames[:1]:
        frame.time_base = stream.time_base
        return frame
    return None
