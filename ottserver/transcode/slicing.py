"""Video segments that are the source's own packets, from one key frame up to another. Children only.

Nothing is decoded. Times are counted on the grid, whatever the container rounds them to; decoding times are made anew:
the packets' places in the order shown, less a delay that is the same for the whole film.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import av

from ottserver.backends.ffmpeg.bitstream import begins_anew, length_size
from ottserver.backends.ffmpeg.sourcefile import open_source, packets
from ottserver.transcode.models import InitSegment
from ottserver.transcode.mux import Fragment
from ottserver.transcode.plan import copy_grid

if TYPE_CHECKING:
    from pathlib import Path

    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream

    from ottserver.media import VideoStream
    from ottserver.transcode.grid import Grid
    from ottserver.transcode.models import Copy, EncodingPlan

    Numbered = list[tuple[int, Packet[Stream]]]

_BACK_OFF_SECONDS = (0.0, 0.7, 2.0, 5.0, 12.0, 30.0, 90.0)
# A backward seek may land after the target (MPEG-TS and PS do); then it is tried again from further back.


class Uncut(Exception):
    """The source's packets do not make up the segment: the message says why."""


def copy_init(path: Path, plan: EncodingPlan, copy: Copy) -> InitSegment:
    """The copy's init segment: that of its first segment, as of all others."""
    init, _ = copied_segment(path, plan, copy, 0)
    return InitSegment(copy.name, copy.codecs, init)


def copied_segment(path: Path, plan: EncodingPlan, copy: Copy, index: int) -> tuple[bytes, bytes]:
    """Init and media segment `index` of the copy.

    Raises `Uncut`, and `av.error.FFmpegError` or `OSError` when the source cannot be read.
    """
    grid, video = copy_grid(plan, copy), plan.report.video
    span = grid.starts[index], grid.starts[index + 1]
    for seconds in _BACK_OFF_SECONDS:
        start = span[0] - round(seconds * grid.rate)
        with open_source(path) as container:
            stream = container.streams[video.index]
            if start > 0:
                # Half a frame later: a container that counts milliseconds may have rounded the key frame's time up.
                half = round(1 / (2 * Fraction(video.time_base) * grid.rate))
                target = grid.ticks_of(start, video.origin, Fraction(video.time_base)) + half
                try:
                    container.seek(target, backward=True, stream=stream)
                except av.error.PermissionError:
                    # Some demuxers refuse to seek where they have no index: the next place, and in the end the start.
                    continue
            found = _gathered(container, stream, video, grid, span)
            if found:
                return _muxed(found, stream, video, grid, span[1])
        if start <= 0:
            break
    message = f"the source has no key frame at frame {span[0]}"
    raise Uncut(message)


def _gathered(
    container: InputContainer, stream: Stream, video: VideoStream, grid: Grid, span: tuple[int, int]
) -> Numbered:
    """The packets of the span, by frame number, in decoding order; none when reading began behind its start."""
    first, end = span
    time_base = Fraction(video.time_base)
    found: Numbered = []
    for packet in packets(container, stream):
        if not packet.size or packet.is_discard or packet.pts is None:
            continue
        number = grid.frame_at(packet.pts, video.origin, time_base)
        if found and packet.is_keyframe and number >= end:
            break
        if found or (packet.is_keyframe and number == first):
            found.append((number, packet))
        elif packet.is_keyframe and number > first:
            return []
    return found


def _muxed(found: Numbered, stream: Stream, video: VideoStream, grid: Grid, end: int) -> tuple[bytes, bytes]:
    if end == grid.frames:
        found = [(number, packet) for number, packet in found if number < end]
    order = sorted(number for number, _ in found)
    first, extradata = found[0], bytes(stream.codec_context.extradata or b"")
    if order[0] != first[0] or order[-1] >= end or len(set(order)) < len(order):
        message = f"the source's frames {first[0]} to {end - 1} cannot be told from their neighbours"
        raise Uncut(message)
    if not begins_anew(video.codec, bytes(first[1]), length_size(video.codec, extradata)):
        message = f"a decoder cannot begin at the source's frame {first[0]}"
        raise Uncut(message)
    lengths = [after - before for before, after in pairwise([*order, end])]
    fragment = Fragment(grid.timescale, order[0] * grid.frame_ticks, keys_inside=True)
    target = _target(fragment.container, stream, video, grid)
    for (number, packet), place, length in zip(found, order, lengths, strict=True):
        if number < place - video.reorder:
            message = f"the source's frame {number} comes later than those that need it"
            raise Uncut(message)
        packet.stream = target
        packet.time_base = Fraction(1, grid.timescale)
        packet.pts = number * grid.frame_ticks
        packet.dts = (place - video.reorder) * grid.frame_ticks
        packet.duration = length * grid.frame_ticks
        fragment.add(packet)
    init, media = fragment.close()
    # HEVC's parameter sets are in the init segment, which is what "hvc1" says (ISO/IEC 14496-15 section 8.4.1).
    return init.replace(b"hev1", b"hvc1", 1), media


def _target(container: OutputContainer, stream: Stream, video: VideoStream, grid: Grid) -> Stream:
    target: Stream
    if video.codec == "av1":
        # PyAV 18.1 finds no codec by the name of the decoder; the muxer takes the configuration from the key frame.
        target = container.add_mux_stream("av1", grid.rate, width=video.width, height=video.height)
    else:
        target = container.add_stream_from_template(stream)
    target.time_base = Fraction(1, grid.timescale)
    return target
