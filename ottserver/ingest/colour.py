"""Colour: names of its properties as FFmpeg writes them, by the code points of ITU-T H.273, and a film's peak."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, cast

from av.sidedata.sidedata import Type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from av.sidedata.sidedata import SideData
    from av.video.frame import VideoFrame

PRIMARIES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020", 10: "smpte428",
    11: "smpte431", 12: "smpte432", 22: "ebu3213",
}  # fmt: skip
TRANSFERS = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100", 10: "log316",
    11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084",
    17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
SPACES = {
    0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco", 9: "bt2020nc",
    10: "bt2020c",
}  # fmt: skip
RANGES = {1: "tv", 2: "pc"}

_MOST_LIGHT = 10_000
# In cd/m2: all that PQ can say.


def peak_of(frame: VideoFrame) -> int:
    """The greatest light of a film in cd/m2 as one of its frames states it, 0 where none does.

    That of its brightest pixel (MaxCLL of CTA-861.3), but not more than the display it was graded on (SMPTE ST 2086)
    could show, which stands for it where it is missing.
    """
    light = graded = 0.0
    for one in cast("Iterable[SideData]", frame.side_data):
        if one.type == Type.CONTENT_LIGHT_LEVEL:
            (light,) = struct.unpack_from("=I", bytes(one))
        elif one.type == Type.MASTERING_DISPLAY_METADATA:
            # libavutil's structure: eight fractions of chromaticity, the least and the greatest light, two flags.
            *_, above, below, _, known = struct.unpack_from("=20i2i", bytes(one))
            graded = above / below if known and below else 0.0
    peak = min((one for one in (light, graded) if one > 0), default=0.0)
    return min(round(peak), _MOST_LIGHT)
