"""Where the channels of a track or a frame sound from, whatever the layout. Children only.

PyAV 18.1 frees the map of a custom layout (7.1 PCM in QuickTime has one) that FFmpeg frees again, which ends the
process. So a layout is read here alone, and its copy is marked as one without a map before PyAV lets go of it.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.frame import AudioFrame

_CUSTOM = 2
_NATIVE = 1
_UNSPECIFIED = 0
_HEAD = ctypes.sizeof(ctypes.py_object) * 2
# What CPython puts before an object's own fields: a count of references and a type.


class _Layout(ctypes.Structure):
    """FFmpeg's AVChannelLayout, which is all that a PyAV layout holds."""

    _fields_ = (
        ("order", ctypes.c_int),
        ("channels", ctypes.c_int),
        ("mask", ctypes.c_uint64),
        ("opaque", ctypes.c_void_p),
    )


def positions(of: AudioCodecContext | AudioFrame) -> tuple[str, ...]:
    """FFmpeg's name of every channel's place in its order: "FL", "LFE" …; "" for one that has no known place.

    Every frame that a decoder gives goes through here, once, before it can be dropped.
    """
    layout = of.layout
    try:
        names = [channel.name for channel in layout.channels]
    finally:
        _disarm(layout)
    return tuple(name if name.isupper() and name[:4] not in {"NONE", "UNSD", "USR", "AMBI"} else "" for name in names)


def _disarm(layout: av.AudioLayout) -> None:
    if not _as_expected():
        return
    inside = _Layout.from_address(id(layout) + _HEAD)
    if inside.order == _CUSTOM:
        inside.order = _UNSPECIFIED


@cache
def _as_expected() -> bool:
    """Whether a PyAV layout lies in memory as it did in 18.1; one that does not is left alone."""
    layout = av.AudioLayout("5.1")
    if type(layout).__basicsize__ != _HEAD + ctypes.sizeof(_Layout):
        return False
    inside = _Layout.from_address(id(layout) + _HEAD)
    return (inside.order, inside.channels, inside.mask) == (_NATIVE, 6, 0x3F)
