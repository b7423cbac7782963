"""What of a stream is damaged or missing, told by its packets before they are decoded. Children only.

FFmpeg says little of it: where Matroska's structure is broken, it goes on at the next cluster without a word, and
pictures that refer to what is missing are shown as if nothing were.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

from ottserver.backends.ffmpeg.bitstream import length_size
from ottserver.backends.ffmpeg.h264 import FrameNumbers
from ottserver.backends.ffmpeg.mpeg2 import TemporalReferences, whole_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

_MASTERS = (b"\x1f\x43\xb6\x75", b"\xa0")
# Elements of Matroska that hold blocks: clusters and groups of blocks.
_BLOCKS = (0xA3, 0xA1)
_ELEMENT_HEAD_BYTES, _BLOCK_HEAD_BYTES = 12, 9
_MOST_ELEMENTS = 5000
_ALL_MARKED = 12
_ROW, _MOST_ROWS = 16, 175
# Of macroblocks of MPEG-2: in greater pictures rows are counted otherwise.


@dataclass(frozen=True, slots=True)
class Loss:
    """What a packet says of damage."""

    before: int = 0
    """Something is missing before it; so many packets before it may not be whole."""
    inside: bool = False
    """It is not whole itself."""
    referred: bool = True
    """Other pictures may refer to this one."""


_NONE = Loss()


def marked(coming: Iterator[Packet[Stream]]) -> tuple[bool, Iterator[Packet[Stream]]]:
    """Whether the demuxer's marks of damage mean something, and the packets.

    They do not where it marks all: some writers of transport streams do not count packets as they should.
    """
    head = list(islice(coming, _ALL_MARKED))
    return not (len(head) == _ALL_MARKED and all(packet.is_corrupt for packet in head)), chain(head, coming)


class Losses:
    """Looks at the packets of one stream of video, in the order in which they come."""

    def __init__(self, container: InputContainer, stream: VideoStream, file: int, *, marks: bool) -> None:
        """`file` is a descriptor of the source, which is read at places of its own; `marks` is what `marked` says."""
        self._marks = marks
        codec, extradata = stream.codec_context.codec.canonical_name, bytes(stream.codec_context.extradata or b"")
        self._file = file
        self._length = length_size(codec, extradata)
        self._numbers = FrameNumbers(extradata, self._length) if codec == "h264" else None
        self._references = TemporalReferences() if codec in ("mpeg1video", "mpeg2video") else None
        self._rows = stream.height <= _MOST_ROWS * _ROW
        self._every_row = codec == "mpeg2video"
        self._looked_into = bool(self._length or self._numbers or self._references)
        self._matroska = container.format.name.startswith("matroska")
        self._avi = container.format.name == "avi"
        self._entries = stream.index_entries
        self._before: Packet[Stream] | None = None

    def at(self, packet: Packet[Stream]) -> Loss:
        """What the next packet says."""
        before, self._before = self._before, packet
        if packet.is_corrupt and self._marks:
            return Loss(inside=True)
        data = bytes(packet) if self._looked_into else b""
        if self._length and not _parts(data, self._length):
            return Loss(before=1, inside=True)
        referred, doubtful = True, 0
        if self._numbers:
            missing, referred = self._numbers.next(data, key=packet.is_keyframe)
            doubtful = int(missing)
        if self._references:
            doubtful = self._references.doubtful(data)
            if self._rows and not whole_rows(data, every=self._every_row):
                return Loss(before=self._references.since, inside=True)
        if before is not None and not doubtful:
            hole = (self._matroska and self._hole(before, packet)) or (self._avi and self._skipped(before, packet))
            doubtful = int(hole)
        return Loss(before=doubtful, referred=referred) if doubtful or not referred else _NONE

    def _hole(self, before: Packet[Stream], packet: Packet[Stream]) -> bool:
        """Whether something else than elements of Matroska (RFC 8794, RFC 9559) lies between two blocks."""
        if before.pos is None or packet.pos is None or packet.pos <= before.pos:
            return False
        end = packet.pos
        at = self._end_of_block(before.pos, before.size)
        for _ in range(_MOST_ELEMENTS):
            if at is None or at >= end:
                break
            head = os.pread(self._file, _ELEMENT_HEAD_BYTES, at)
            name, body = _number(head, 0), 0
            if name is None or (size := _number(head, name[1])) is None:
                return True
            body = at + size[1]
            if body >= end:
                return body > end
            at = body + (0 if head[: name[1]] in _MASTERS else size[0])
        return at is not None and at > end

    def _end_of_block(self, position: int, least: int) -> int | None:
        """Where the block whose content begins at a position ends; its size stands directly before that.

        It is a little more than the packet's, `least`; by chance a size ends in what might be another one.
        """
        head = os.pread(self._file, _BLOCK_HEAD_BYTES, max(0, position - _BLOCK_HEAD_BYTES))
        for width in range(1, len(head)):
            size = _number(head, len(head) - width)
            if size is None or size[1] != len(head) or head[-width - 1] not in _BLOCKS:
                continue
            if least <= size[0] <= least + _BLOCK_HEAD_BYTES:
                return position + size[0]
        return None

    def _skipped(self, before: Packet[Stream], packet: Packet[Stream]) -> bool:
        """Whether chunks of an AVI's index that hold something lie between two."""
        if before.dts is None or packet.dts is None or packet.dts == before.dts + 1 or not len(self._entries):
            return False
        start = self._entries.search_timestamp(before.dts, any_frame=True)
        end = self._entries.search_timestamp(packet.dts, any_frame=True)
        return start >= 0 and any(self._entries[place].size for place in range(start + 1, end))


def _number(data: bytes, at: int) -> tuple[int, int] | None:
    """A number of variable size (RFC 8794 section 4) and where it ends, or nothing when there is none."""
    if at >= len(data) or not data[at]:
        return None
    end = at + 9 - data[at].bit_length()
    return (int.from_bytes(data[at:end]) & (1 << 7 * (end - at)) - 1, end) if end <= len(data) else None


def _parts(data: bytes, length: int) -> bool:
    """Whether lengths and NAL units fill a packet exactly."""
    at = 0
    while at + length <= len(data):
        at += length + int.from_bytes(data[at : at + length])
    return at == len(data)
