"""Where a film's key frames are, and whether its own packets can be played as they are. Children only.

A small file is read through once, without decoding. Of a large one the container's index is asked, and one packet of
each key frame is looked at; where there is no index, or the time is up, nothing is said.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import av

from ottserver.backends.ffmpeg.bitstream import begins_anew, length_size, same_sets
from ottserver.backends.ffmpeg.sourcefile import open_source, packets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream as Demuxed

BUDGET_SECONDS = 2.0
"""So much of a processor's time, and at most three times as long, a probe may take to find key frames."""
_INDEXED = ("mov", "matroska")
_READ_THROUGH_BYTES = {True: 32 << 20, False: 2 << 30}
# By whether the container has an index: from this size on it is asked.
_LEAST_SECONDS = Fraction(1, 2)
# Key frames that are closer are counted as one: no segment is that short, and in some films every frame is one.
_HEAD_PACKETS = 1000
_MOST_REORDERED = 16
_LOOK_EVERY = 256


@dataclass(frozen=True, slots=True)
class KeyFrames:
    """What `VideoStream` says of them."""

    keys: tuple[int, ...] = ()
    key_bytes: tuple[int, ...] = ()
    closed: bool = False
    steady: bool = False
    reorder: int = 0


class _Late(Exception):
    """The time is up."""


@dataclass(frozen=True, slots=True)
class _Key:
    number: int
    position: int
    """Bytes of the film's packets, or of the file, before it."""
    anew: bool


class KeyFinder:
    """Looks for the key frames of one stream."""

    def __init__(self, path: Path, index: int, *, origin: int, ticks: Fraction, frames: int, rate: Fraction) -> None:
        """`ticks` is the grid's frames in one tick of the stream, `frames` how many there are from `origin` on."""
        self._path = path
        self._index = index
        self._origin = origin
        self._ticks = ticks
        self._frames = frames
        self._apart = int(_LEAST_SECONDS * rate)
        # On a busy machine the same film should be found to have the same key frames.
        self._end = time.process_time() + BUDGET_SECONDS
        self._latest = time.monotonic() + 3 * BUDGET_SECONDS

    def find(self, size: int) -> KeyFrames:
        """The key frames of a file of `size` bytes; none when they cannot be found in time."""
        try:
            with open_source(self._path) as container:
                name = container.format.name
                indexed = name.startswith(_INDEXED)
                if size <= _READ_THROUGH_BYTES[indexed]:
                    return self._read_through(container)
                if not indexed:
                    return KeyFrames()
                ask = self._ask_mov if name.startswith("mov") else self._ask_matroska
                return ask(container, size)
        except (_Late, av.error.FFmpegError):
            return KeyFrames()

    def _number(self, stamp: int) -> int:
        """Frame number that a timestamp falls on: the grid's rounding, in integers because it is asked so often."""
        above, below = self._ticks.numerator, self._ticks.denominator
        return (2 * (stamp - self._origin) * above + below) // (2 * below)

    def _read_through(self, container: InputContainer) -> KeyFrames:
        stream = self._stream(container)
        look = _Look(stream)
        numbers: list[int] = []
        keys: list[_Key] = []
        total, greatest, whole = 0, -1, True
        for packet in self._packets(container, stream):
            if packet.pts is None:
                return KeyFrames()
            number = self._number(packet.pts)
            if packet.is_keyframe:
                # With as many frames before it as its number says, and none of them shown after it, it parts the film.
                parts = greatest < number == len(numbers)
                keys.append(_Key(number, total, parts and look.anew(packet)))
            numbers.append(number)
            greatest = max(greatest, number)
            total += packet.size
            whole = whole and not packet.is_corrupt
        steady = whole and sorted(numbers) == list(range(self._frames))
        return self._found(keys, total, steady=steady, reorder=_reorder(numbers))

    def _ask_mov(self, container: InputContainer, size: int) -> KeyFrames:  # noqa: ARG002 - as the other one
        stream = self._stream(container)
        entries = [entry for entry in stream.index_entries if not entry.is_discard]
        head, reorder = self._head(container, stream)
        self._check_time()
        # The index has times of decoding, which are as even as those of showing.
        even = all(self._number(e.timestamp - entries[0].timestamp + self._origin) == n for n, e in enumerate(entries))
        # Times sought for are compared with those of showing, so the key frame before would be found.
        shift = round(reorder / self._ticks)
        look, total = _Look(stream), 0
        keys: list[_Key] = []
        passed = -self._apart
        for place, entry in enumerate(entries):
            if entry.is_keyframe and place - passed >= self._apart:
                packet = self._packet_at(container, stream, entry.timestamp + shift)
                if packet is not None and packet.pts is not None and packet.pos == entry.pos:
                    number = self._number(packet.pts)
                    keys.append(_Key(number, total, number == place and look.anew(packet)))
                    passed = place
            total += entry.size
        return self._found(keys, total, steady=head and even and len(entries) == self._frames, reorder=reorder)

    def _ask_matroska(self, container: InputContainer, size: int) -> KeyFrames:
        stream = self._stream(container)
        steady, reorder = self._head(container, stream)
        # The cues are read when something is sought for.
        container.seek(self._origin, backward=True, stream=stream)
        look = _Look(stream)
        keys: list[_Key] = []
        for entry in list(stream.index_entries):
            packet = self._packet_at(container, stream, entry.timestamp)
            if packet is None or packet.pts is None or packet.pos is None:
                return KeyFrames()
            number = self._number(packet.pts)
            if keys and number <= keys[-1].number:
                continue
            # Other tracks' bytes lie between too: what is said of the film's is then more than there are.
            keys.append(_Key(number, packet.pos, look.anew(packet)))
            off = abs((packet.pts - self._origin) * self._ticks - number)
            steady = steady and off <= self._ticks * Fraction(11, 10)
        return self._found(keys, size, steady=steady, reorder=reorder)

    def _found(self, keys: Sequence[_Key], total: int, *, steady: bool, reorder: int) -> KeyFrames:
        kept: list[_Key] = []
        for key in keys:
            if 0 <= key.number < self._frames and (not kept or key.number - kept[-1].number >= self._apart):
                kept.append(key)
        if not kept:
            return KeyFrames()
        ends = [*(key.position for key in kept), total]
        return KeyFrames(
            keys=tuple(key.number for key in kept),
            key_bytes=tuple(max(0, after - before) for before, after in pairwise(ends)),
            closed=all(key.anew for key in kept),
            steady=steady,
            reorder=reorder,
        )

    def _head(self, container: InputContainer, stream: Demuxed) -> tuple[bool, int]:
        """Whether the first frames have a number each, and by how many decoding runs ahead of showing."""
        numbers: list[int] = []
        for packet in self._packets(container, stream):
            if packet.pts is None:
                return False, 0
            numbers.append(self._number(packet.pts))
            if len(numbers) >= _HEAD_PACKETS:
                break
        sure = max(0, len(numbers) - _MOST_REORDERED)
        declared = stream.codec_context.reorder_depth
        return sorted(numbers)[:sure] == list(range(sure)), max(_reorder(numbers), declared)

    def _stream(self, container: InputContainer) -> Demuxed:
        stream: Demuxed = container.streams[self._index]  # type: ignore[assignment] # the probe saw video at this index
        for other in container.streams:
            if other is not stream:
                other.discard = av.stream.Discard.all
        return stream

    def _packets(self, container: InputContainer, stream: Demuxed) -> Iterator[Packet[Stream]]:
        """All that are shown, from here to the end. Raises `_Late`."""
        for count, packet in enumerate(packets(container, stream)):
            if not count % _LOOK_EVERY:
                self._check_time()
            if packet.size and not packet.is_discard:
                yield packet

    def _packet_at(self, container: InputContainer, stream: Demuxed, stamp: int) -> Packet[Demuxed] | None:
        self._check_time()
        container.seek(stamp, backward=True, stream=stream)
        packet = next(container.demux(stream), None)
        return packet if packet is not None and packet.size and packet.is_keyframe else None

    def _check_time(self) -> None:
        if time.process_time() > self._end or time.monotonic() > self._latest:
            raise _Late


class _Look:
    """Looks into packets of one stream."""

    def __init__(self, stream: Demuxed) -> None:
        self._codec = stream.codec_context.codec.canonical_name
        self._extradata = bytes(stream.codec_context.extradata or b"")
        self._length = length_size(self._codec, self._extradata)
        self._parsed = self._codec in ("h264", "hevc")

    def anew(self, packet: Packet[Any]) -> bool:
        """Whether decoding can begin at this key frame, with what the stream's configuration says, for all after it."""
        if packet.has_sidedata("new_extradata"):
            return False
        if not self._parsed:
            return True
        data = bytes(packet)
        changed = not self._length and not same_sets(self._codec, data, self._extradata)
        return not changed and begins_anew(self._codec, data, self._length)


def _reorder(numbers: Sequence[int]) -> int:
    """By how many frames decoding must run ahead of showing, for frames in the order in which they are decoded."""
    return max((place - number for place, number in enumerate(numbers)), default=0)
