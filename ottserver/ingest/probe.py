"""Examines one file with FFmpeg. Runs in a child process only: `python -m ottserver.ingest.probe PARENT_PID PATH`.

Prints one line of JSON, `{"report": …}` or `{"failed": "sentence"}`. Reads the head and the tail of the file, not all
of it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.stream import Disposition

from ottserver.backends.ffmpeg.bitstream import codecs_of
from ottserver.backends.ffmpeg.child import confine, take_stdout
from ottserver.backends.ffmpeg.sourcefile import open_source
from ottserver.ingest import colour
from ottserver.ingest.aac import with_packets
from ottserver.ingest.cadence import grid_rate, rational
from ottserver.ingest.keyframes import KeyFinder
from ottserver.ingest.models import ProbeFailed
from ottserver.ingest.prober import VERDICT, Verdict
from ottserver.ingest.sniff import kind_of, outside_of, truncation_of
from ottserver.ingest.tracks import audio_streams, chapters, subtitle_streams
from ottserver.media import SourceReport, VideoStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream as Demuxed

_MEMORY_BYTES = 6 << 30
_CPU_SECONDS = 300
_HEAD_STAMPS = 600
_HEAD_FRAMES = 12
_HEAD_PACKETS = 5_000
_INDEX_ENTRIES = 1000
_TAIL_SECONDS = (5, 30, 120)
_BAD_READS, _BAD_BYTES = 10, 32 << 10
_LOST_SECONDS = 2
_MAX_SECONDS = 24 * 3600
_MAX_SIDE = 16_384
_MIN_SIDE = 2
_MAX_EXTRADATA = 64 << 10
_STILLS = {"mjpeg", "png", "bmp", "gif", "webp", "tiff"}
_DECLARES_DURATION = ("matroska", "avi", "flv", "asf")
# Containers whose header says how long they are, whatever follows.


@dataclass
class _Head:
    """What the first packets say."""

    frames: list[VideoFrame] = field(default_factory=list)
    stamps: set[int] = field(default_factory=set)


def probe(path: Path) -> SourceReport:
    """The report on a file. Raises `ProbeFailed` with a sentence that says why it cannot be played."""
    size = path.stat().st_size
    if size == 0:
        reason = "The file is empty."
        raise ProbeFailed(reason)
    if cut := truncation_of(path):
        raise ProbeFailed(cut)
    if elsewhere := outside_of(path):
        raise ProbeFailed(elsewhere)
    try:
        with open_source(path) as container:
            return _report(path, container, size)
    except av.error.FFmpegError:
        kind = kind_of(path)
        what = f"it is {kind}" if kind else "it is in no known video format, or damaged at its beginning"
        reason = f"The file is not a video: {what}."
        raise ProbeFailed(reason) from None


def _report(path: Path, container: InputContainer, size: int) -> SourceReport:
    stream = _video(container)
    if any(entry.pos + entry.size > size for entry in stream.index_entries[-_INDEX_ENTRIES:]):
        reason = "The file is incomplete: its index names pictures that lie behind its end. Copy or upload it again."
        raise ProbeFailed(reason)
    head = _head(container, stream)
    if not head.frames:
        reason = "No picture of the film can be decoded; the file may be damaged or encrypted."
        raise ProbeFailed(reason)
    first, time_base = head.frames[0], stream.time_base or Fraction(1, 1000)
    origin = _stamp(first)
    if origin is None:
        origin = min(head.stamps, default=0)
    rate = grid_rate(sorted(stamp for stamp in head.stamps if stamp >= origin), time_base, stream.average_rate)
    last, end = _tail(path, stream.index, origin)
    seconds = (last - origin) * time_base
    _refuse_lost_tail(container, end)
    if seconds > _MAX_SECONDS:
        reason = "The file says that it is longer than 24 hours; it may be damaged."
        raise ProbeFailed(reason)
    frames = floor(seconds * rate + Fraction(1, 2)) + 1
    context = stream.codec_context
    found = KeyFinder(path, stream.index, origin=origin, ticks=time_base * rate, frames=frames, rate=rate).find(size)
    extradata = bytes(context.extradata or b"")[:_MAX_EXTRADATA]
    aspect = stream.sample_aspect_ratio or context.sample_aspect_ratio or Fraction(1)
    video = VideoStream(
        index=stream.index,
        codec=context.codec.canonical_name,
        width=first.width,
        height=first.height,
        sample_aspect=rational(aspect if Fraction(1, 10) < aspect < 10 else Fraction(1)),  # noqa: PLR2004 - no camera's
        rotation=_rotation(first),
        pixel_format=first.format.name,
        interlaced=sum(frame.interlaced_frame for frame in head.frames) * 2 > len(head.frames),
        frame_rate=rational(rate),
        time_base=rational(time_base),
        origin=origin,
        frames=frames,
        color_primaries=colour.PRIMARIES.get(first.color_primaries, "unknown"),
        color_transfer=colour.TRANSFERS.get(first.color_trc, "unknown"),
        color_space=colour.SPACES.get(first.colorspace, "unknown"),
        color_range=colour.RANGES.get(first.color_range, "unknown"),
        peak=colour.peak_of(first),
        codecs=codecs_of(
            context.codec.canonical_name,
            extradata,
            profile=_profile(context.profile),
            depth=first.format.components[0].bits,
            size=(first.width, first.height),
            rate=rate,
        ),
        extradata=extradata.hex(),
        keys=found.keys,
        key_bytes=found.key_bytes,
        closed=found.closed,
        steady=found.steady,
        reorder=found.reorder,
    )
    return SourceReport(
        container=container.format.name,
        size_bytes=size,
        duration_seconds=float(frames / rate),
        video=video,
        audio=with_packets(path, container.format.name, audio_streams(container), origin * time_base, frames / rate),
        subtitles=subtitle_streams(container),
        chapters=chapters(container, origin * time_base, frames / rate),
        title=container.metadata.get("title", "").strip()[:500],
    )


def _video(container: InputContainer) -> Demuxed:
    """The stream to play: the default one, else the largest; cover art and thumbnails are not films.

    A cover may be a plain track too, so what is coded as stills is taken only where there is nothing else.
    """
    covers = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    pictures = [stream for stream in container.streams.video if not stream.disposition & covers]
    if not pictures:
        if container.streams.audio:
            reason = "The file has sound but no picture; only films can be played."
            raise ProbeFailed(reason)
        reason = "The file has no video in it."
        raise ProbeFailed(reason)
    known = [stream for stream in pictures if stream.codec_context is not None]
    if not known:
        reason = "The film's video codec is not known here."
        raise ProbeFailed(reason)
    best = max(
        known, key=lambda s: (s.codec_context.codec.canonical_name not in _STILLS, _is_default(s), s.width * s.height)
    )
    if not (_MIN_SIDE <= best.width <= _MAX_SIDE and _MIN_SIDE <= best.height <= _MAX_SIDE):
        if not best.width:
            reason = "No picture of the film can be decoded; the file may be damaged or encrypted."
            raise ProbeFailed(reason)
        reason = f"A picture of {best.width} x {best.height} pixels is outside what can be played."
        raise ProbeFailed(reason)
    return best


def _is_default(stream: Demuxed) -> bool:
    return bool(stream.disposition & Disposition.default)


def _head(container: InputContainer, stream: Demuxed) -> _Head:
    """Decode some frames and collect timestamps from the beginning."""
    head = _Head()
    stream.thread_type = "AUTO"
    for number, packet in enumerate(_packets(container, stream)):
        if packet.size and not packet.is_discard:
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is not None:
                head.stamps.add(stamp)
        if len(head.frames) < _HEAD_FRAMES:
            try:
                head.frames += stream.codec_context.decode(packet)
            except av.error.FFmpegError:
                continue
        elif len(head.stamps) >= _HEAD_STAMPS:
            break
        if number > _HEAD_PACKETS:
            break
    return head


def _tail(path: Path, index: int, origin: int) -> tuple[int, Fraction]:
    """Greatest timestamp shown of the video stream, in its ticks, and the second at which the last stream ends."""
    for seconds in _TAIL_SECONDS:
        with open_source(path) as container:
            stream = container.streams[index]
            time_base = stream.time_base or Fraction(1, 1000)
            duration = container.duration
            if duration is None:
                break
            start = Fraction(container.start_time or 0, av.time_base)
            target = start + Fraction(duration, av.time_base) - seconds
            if target <= origin * time_base:
                break
            try:
                container.seek(int(target / time_base), backward=True, stream=stream)
            except av.error.FFmpegError:
                continue
            last, end = _greatest(container, index)
            if last is not None and last >= origin:
                return last, end
    with open_source(path) as container:
        last, end = _greatest(container, index)
    return (origin if last is None else max(last, origin)), end


def _greatest(container: InputContainer, index: int) -> tuple[int | None, Fraction]:
    last: int | None = None
    end = Fraction(0)
    for packet in _packets(container, None):
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is None or packet.is_discard or not packet.size:
            continue
        end = max(end, (stamp + (packet.duration or 0)) * packet.time_base)
        if packet.stream_index == index:
            last = stamp if last is None else max(last, stamp)
    return last, end


def _packets(container: InputContainer, stream: Demuxed | None) -> Iterator[av.Packet[av.stream.Stream]]:
    chosen = () if stream is None else (stream,)
    for _ in range(_BAD_READS + max(0, container.size) // _BAD_BYTES):
        try:
            yield from container.demux(*chosen)
        except (av.error.InvalidDataError, av.error.BlockingIOError):
            continue
        except IndexError:
            # PyAV 18.1 ends so where a stream began on the way, as in broadcasts; all packets have come by then.
            return
        return


def _refuse_lost_tail(container: InputContainer, end: Fraction) -> None:
    if container.duration is None or not container.format.name.startswith(_DECLARES_DURATION):
        return
    # Counted from zero, not from the first timestamp, by some writers: the smaller of the two readings is used.
    declared = Fraction(container.duration, av.time_base)
    if declared - end > _LOST_SECONDS:
        lost = float(declared - end)
        reason = (
            f"The file is incomplete: the last {lost:.0f} seconds of the film are missing. Copy or upload it again."
        )
        raise ProbeFailed(reason)


def _rotation(frame: VideoFrame) -> int:
    """Clockwise degrees; FFmpeg counts the other way. Matrices that are no quarter turn are left alone."""
    turned = -round(frame.rotation) % 360
    return turned if turned in (0, 90, 180, 270) else 0


def _profile(name: str | None) -> int:
    """The number in a name such as "Profile 2"."""
    number = (name or "").rpartition(" ")[2]
    return int(number) if number.isdecimal() else 0


def _stamp(frame: VideoFrame) -> int | None:
    return frame.dts if frame.pts is None else frame.pts


def main() -> None:
    """Examine the file named on the command line and print the verdict."""
    confine(parent=int(sys.argv[1]), nice=5, memory_bytes=_MEMORY_BYTES, cpu_seconds=_CPU_SECONDS)
    out = take_stdout()
    try:
        verdict = Verdict(report=probe(Path(sys.argv[2])))
    except ProbeFailed as failure:
        verdict = Verdict(failed=failure.reason)
    except OSError as failure:
        verdict = Verdict(failed=f"The file cannot be read: {failure.strerror}.")
    except MemoryError:
        verdict = Verdict(failed="Examining the file took more memory than is allowed; it may be damaged.")
    os.write(out, VERDICT.dump_json(verdict, exclude_none=True) + b"\n")


if __name__ == "__main__":
    main()
