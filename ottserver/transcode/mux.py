"""Fragmented MP4 in memory: one init segment and one media segment of a rendition. Children only.

What makes independently made segments fit together: an init segment with an edit list that takes off the video
encoder's reordering delay, which is the same in every segment; one fragment per segment (ISO/IEC 14496-12 section 8.8);
and a base decode time (tfdt) that is written afterwards: the muxer sees each segment as if the film began with it, for
it notes durations in the init segment, in wider boxes where they are long.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import av

if TYPE_CHECKING:
    from av.packet import Packet

REORDER_DELAY = 2
"""Frames by which decoding runs ahead of showing, the same in all segments: two are what x264's B-pyramid needs."""

_TFDT_TIME = 8
"""From the box's name to its time, which libavformat writes in 64 bits always: behind version and flags."""
_FLAGS = "empty_moov+delay_moov+default_base_moof+frag_discont+skip_trailer"
_OPTIONS = {
    "use_editlist": "1",
    "avoid_negative_ts": "disabled",
}


class Fragment:
    """One segment in the making: add a stream to `container`, then its packets in decoding order."""

    def __init__(self, timescale: int, start: int, *, keys_inside: bool = False) -> None:
        """Start an empty segment whose timestamps count in 1/timescale seconds, and whose first picture is at `start`.

        With `keys_inside`, key frames after the first one begin no fragment of their own, and the init segment says
        nothing of the bit rate, which it would take from the first packets.
        """
        self._file = io.BytesIO()
        self._start = start
        flags = f"{_FLAGS}+{'frag_custom' if keys_inside else 'frag_keyframe'}"
        options = {**_OPTIONS, "movflags": flags, "video_track_timescale": str(timescale)}
        if keys_inside:
            options["write_btrt"] = "0"
        self.container = av.open(self._file, "w", format="mp4", options=options)

    def add(self, packet: Packet[Any]) -> None:
        """Append a packet, which is stamped by the film's time."""
        if packet.pts is not None:
            packet.pts -= self._start
        if packet.dts is not None:
            packet.dts -= self._start
        self.container.mux(packet)

    def close(self) -> tuple[bytes, bytes]:
        """Bytes of the init segment and of the media segment. Raises `ValueError` when there is none."""
        self.container.close()
        init, media = split(self._file.getvalue())
        at = media.index(b"tfdt") + _TFDT_TIME
        (first,) = struct.unpack_from(">q", media, at)
        return init, media[:at] + struct.pack(">q", first + self._start) + media[at + 8 :]


def split(data: bytes) -> tuple[bytes, bytes]:
    """The file's bytes before its first movie fragment, and from there on. Raises `ValueError` when there is none."""
    offset = 0
    while offset + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, offset)
        if kind == b"moof":
            return data[:offset], data[offset:]
        offset += max(size, 8)
    message = "the muxer wrote no fragment"
    raise ValueError(message)
