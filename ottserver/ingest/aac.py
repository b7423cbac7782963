"""Whether a track's AAC packets can be played as they are, and how they lie. Children only.

They can where every packet is one AAC-LC frame of 1024 samples that follows the one before without a gap, at the head,
near the end and at places between: then a constant phase puts them on the grid of segments, and sound stays where it
was. A track that ends long before its film is encoded: where there is nothing a demuxer would look for it to the end.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

import av

from ottserver.backends.ffmpeg.adts import configuration, payload
from ottserver.backends.ffmpeg.sourcefile import open_source
from ottserver.media import AacPackets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream

    from ottserver.media import AudioStream

_FRAME = 1024
_RATES = (32000, 44100, 48000)
# Below, AAC-LC may be the half of HE-AAC that nothing announces, and half a frame is long enough to be noticed.
_CONTAINERS = ("mov", "matroska", "mpegts", "flv")
_PLACES = (Fraction(0), Fraction(1, 4), Fraction(1, 2), Fraction(3, 4), Fraction(97, 100))
_PACKETS = 100
_MOST_READ = 20_000
_DRIFT = 128
# Samples, 2.7 ms, by which a place may lie off the phase of the head.
_MARGIN = 1.25


def with_packets(
    path: Path, container: str, streams: Sequence[AudioStream], origin: Fraction, seconds: Fraction
) -> tuple[AudioStream, ...]:
    """The tracks of a film of so many seconds from `origin`, those that can be copied with how their packets lie."""
    wanted = {
        stream.index: stream
        for stream in streams
        if stream.codec == "aac" and stream.sample_rate in _RATES and stream.channels in {2, 6}
    }
    if not wanted or not container.startswith(_CONTAINERS):
        return tuple(streams)
    stretches: dict[int, list[_Stretch]] = defaultdict(list)
    for place in _PLACES:
        with open_source(path) as opened:
            if place:
                try:
                    opened.seek(int((origin + place * seconds) * av.time_base), backward=True)
                except av.error.FFmpegError:
                    continue
            for index, stretch in _stretches(opened, wanted, origin).items():
                stretches[index].append(stretch)
    return tuple(replace(stream, aac=_judged(stream, stretches[stream.index])) for stream in streams)


class _Stretch:
    """Some packets in a row."""

    def __init__(self, stream: Stream, rate: int) -> None:
        self.rate = rate
        self.rounding = ceil((stream.time_base or Fraction(1, rate)) * rate) + 2
        self.extradata = bytes(stream.codec_context.extradata or b"")
        self.profile = stream.profile
        self.starts: list[Fraction] = []
        self.sizes: list[int] = []
        self.configurations: set[tuple[int, int] | None] = set()

    def add(self, packet: Packet[Stream], origin: Fraction) -> None:
        """One packet more; one without a time follows the one before."""
        count = len(self.sizes)
        if packet.pts is not None and packet.time_base is not None:
            position = (packet.pts * packet.time_base - origin) * self.rate
            self.starts.append(position - count * _FRAME)
        data = bytes(packet)
        self.configurations.add(configuration(self.extradata, data))
        self.sizes.append(len(payload(data)) if not self.extradata else len(data))

    @property
    def phase(self) -> Fraction | None:
        """Where the first packet lies, in samples; nothing where the packets do not follow each other."""
        if not self.starts or max(self.starts) - min(self.starts) > 2 * self.rounding:
            return None
        return (max(self.starts) + min(self.starts)) / 2


def _stretches(container: InputContainer, wanted: dict[int, AudioStream], origin: Fraction) -> dict[int, _Stretch]:
    streams = [container.streams[index] for index in wanted]
    for stream in container.streams:
        if stream.index not in wanted:
            stream.discard = av.stream.Discard.all
    found = {stream.index: _Stretch(stream, wanted[stream.index].sample_rate) for stream in streams}
    for number, packet in enumerate(_packets(container, streams)):
        if packet.size and not packet.is_discard and len(found[packet.stream_index].sizes) < _PACKETS:
            found[packet.stream_index].add(packet, origin)
        if number > _MOST_READ or all(len(stretch.sizes) >= _PACKETS for stretch in found.values()):
            break
    return found


def _packets(container: InputContainer, streams: list[Stream]) -> Iterator[Packet[Stream]]:
    try:
        yield from container.demux(*streams)
    except (av.error.FFmpegError, IndexError):
        return


def _judged(stream: AudioStream, stretches: list[_Stretch]) -> AacPackets | None:
    if len(stretches) < len(_PLACES) or not all(stretch.sizes for stretch in stretches):
        return None
    head = stretches[0].phase
    if head is None or len(stretches[0].sizes) < 2:  # noqa: PLR2004 - one says nothing of what follows
        return None
    for stretch in stretches:
        if stretch.configurations != {(stream.sample_rate, stream.channels)} or stretch.profile != "LC":
            return None
        phase = stretch.phase
        if phase is None or abs((phase - head + _FRAME // 2) % _FRAME - _FRAME // 2) > _DRIFT:
            return None
    rate = Fraction(stream.sample_rate, _FRAME)
    means = [sum(stretch.sizes) * 8 * rate / len(stretch.sizes) for stretch in stretches]
    return AacPackets(
        phase=round(head) % _FRAME,
        bitrate=round(sum(means) / len(means)),
        peak=round(max(means) * Fraction(_MARGIN)),
    )
