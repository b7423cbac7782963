"""Opens one local file with FFmpeg so tightly that its bytes cannot make FFmpeg open anything else. Children only.

The file is opened here and handed over as a descriptor. Two locks, each enough by itself: the only protocol that
FFmpeg may use is `fd`, which reaches this descriptor alone; and only demuxers of real containers may look at the
bytes, so playlists, concatenation scripts, image sequences and session descriptions are never interpreted.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import av

from ottserver.backends.ffmpeg.counted import Counted
from ottserver.backends.ffmpeg.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream

CONTAINERS = (
    "mov,matroska,mpegts,mpeg,avi,flv,asf,ogg,mxf,mxf_opatom,nut,rm,wtv,dv,ivf,gxf,"
    # Audio only: known so that the refusal can say that there is no picture.
    "mp3,aac,flac,wav,w64,aiff,ac3,eac3,amr,caf,ape,wv,tta"
)
"""Demuxers that may read a source, by FFmpeg's short names."""

_TIGHT = {
    "protocol_whitelist": "fd",
    "format_whitelist": CONTAINERS,
    "probesize": "20000000",
    "analyzeduration": "10000000",
    # A corrupt packet is still given to the decoder, which conceals what it can.
    "err_detect": "ignore_err",
}

_BAD_READS, _BAD_BYTES = 100, 32 << 10
# Damage that the demuxer reports is passed over this often in one job, and once more for so many bytes of the file.


@contextmanager
def open_source(path: Path) -> Iterator[InputContainer]:
    """The demuxer of the file, closed at the end of the context. Raises `av.error.FFmpegError` or `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with av.open("fd:", options={"fd": str(descriptor), **_TIGHT}, metadata_errors="replace") as container:
            yield container
    finally:
        os.close(descriptor)


def seek(path: Path, container: InputContainer, stream: Stream, ticks: int, *, back: int = 0) -> None:
    """Go to the last key frame at or before `ticks - back`, as well as can be told. Raises `av.error.FFmpegError`.

    In a transport stream `back` is counted from the last packet at or before `ticks`: what lies between may be damaged.
    """
    if container.format.name == "mpegts":
        with path.open("rb", buffering=0) as file:
            transport = Transport(file.fileno(), container.size, stream.id)
            place = transport.at(ticks)
            if place is not None and back:
                place = transport.at(place.ticks - back)
            if place is not None and stream.type == "video":
                place = transport.key(place) or place
        if place is not None:
            container.seek(place.offset, unsupported_byte_offset=True)
            return
    container.seek(ticks - back, backward=True, stream=stream)


def packets(container: InputContainer, stream: Stream) -> Iterator[Packet[Stream]]:
    """All packets of one stream from here to the end, then the one that flushes its decoder; damage is passed over."""
    for other in container.streams:
        if other is not stream:
            other.discard = av.stream.Discard.all
    counted = Counted(stream) if container.format.name == "avi" and len(stream.index_entries) > 1 else None
    for _ in range(_BAD_READS + max(0, container.size) // _BAD_BYTES):
        try:
            for packet in container.demux(stream):
                if counted is not None and packet.size:
                    counted.mend(packet)
                yield packet
        except (av.error.InvalidDataError, av.error.BlockingIOError):
            # The latter is what a transport stream without any packets in 64 KB gives.
            continue
        except IndexError:
            # PyAV 18.1 ends so where a stream began on the way, as in broadcasts; our packets have come by then.
            return
        return
