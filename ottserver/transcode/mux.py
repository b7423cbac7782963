"""Fragmented MP4 in memory: one init segment and one media segment of a rendition. Children only.

What makes independently made segments fit together: an init segment with an edit list that takes off the video
encoder's reordering delay, which is the same in every segment; a base decode time (tfdt) written from the timestamps
as they are, without a shift to zero; one fragment per segment (ISO/IEC 14496-12 section 8.8).
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

_FLAGS = "empty_moov+delay_moov+default_base_moof+frag_discont+skip_trailer"
_OPTIONS = {
    "use_editlist": "1",
    "avoid_negative_ts": "disabled",
}


class Fragment:
    """One segment in the making: add a stream to `container`, then its packets in decoding order."""

    def __init__(self, timescale: int, *, keys_inside: bool = False) -> None:
        """Start an empty segment whose timestamps count in 1/timescale seconds.

        With `keys_inside`, key frames after the first one begin no fragment of their own, and the init segment says
        nothing of the bit rate, which it would take from the first packets.
        """
        self._file = io.BytesIO()
        flags = f"{_FLAGS}+{'frag_custom' if keys_inside else 'frag_keyframe'}"
        options = {**_OPTIONS, "movflags": flags, "video_track_timescale": str(timescale)}
        if keys_inside:
            options["write_btrt"] = "0"
        self.container = av.open(self._file, "w", format="mp4", options=options)

    def add(self, packet: Packet[Any]) -> None:
        """Append a packet."""
        self.container.mux(packet)

    def close(self) -> tuple[bytes, bytes]:
        """Bytes of the init segment and of the media segment."""
        self.container.close()
        return split(self._file.getvalue())


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
