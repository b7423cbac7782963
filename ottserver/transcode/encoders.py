"""What each H.264 encoder is told, so that its segments fit together: one table for libx264 and the hardware. Pure.

Hardware encoders make no B-frames here: their order of decoding is that of showing on every generation, and the fixed
delay that the init segment takes off holds without knowing them. Their quality aims at the rung's CRF, which their own
scales of the same range take for something near, under the rung's cap.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ottserver.transcode.models import Rung

SOFTWARE = "libx264"
HARDWARE = ("h264_nvenc", "h264_qsv", "h264_amf")
"""Those that take pictures from the processor's memory, in the order in which `auto` tries them."""

_LOOK_AHEAD, _SHORT_LOOK_AHEAD = 20, 10
_SMALL = 1280 * 720
_AVERAGE = 0.6
_WORST = 51
_HALF = 6
# Six steps of quantisation more are about half of the bits.
_NVENC = {"ultrafast": 1, "superfast": 2, "veryfast": 3, "faster": 3, "fast": 4, "medium": 4, "slow": 5, "slower": 6}
_NVENC_BEST = 7
_QSV = {"ultrafast": "veryfast", "superfast": "veryfast"}
_AMF = {"ultrafast": "speed", "superfast": "speed", "veryfast": "speed", "faster": "balanced", "fast": "balanced"}


def pixel_format(encoder: str) -> str:
    """The layout of 8 bit 4:2:0 that the encoder takes."""
    return "nv12" if encoder in ("h264_qsv", "h264_amf") else "yuv420p"


def look_ahead(rung: Rung) -> int:
    """Frames that x264 looks ahead.

    Twice the preset's where that takes little memory: 2 % fewer bits at equal XPSNR for no more time.
    """
    return _LOOK_AHEAD if rung.width * rung.height <= _SMALL else _SHORT_LOOK_AHEAD


def options(encoder: str, rung: Rung, *, cap: float, threads: int, level: int | None = None) -> dict[str, str]:
    """FFmpeg's options for a segment of the rung.

    `cap` below 1 asks for fewer bits than the first time, and `level` for the level of that time, which x264 would
    choose anew by the cap.
    """
    if encoder == SOFTWARE:
        return _x264(rung, cap, threads) | ({} if level is None else {"level": str(level)})
    # A smaller buffer would be another parameter set of some encoders, and so another init segment: quality gives way.
    quality = str(min(_WORST, round(rung.crf - 2 * _HALF * math.log2(cap))))
    return {
        "profile": "high",
        "maxrate": str(rung.maxrate),
        "bufsize": str(rung.bufsize),
        "g": "9999",
        "bf": "0",
        "flags": "+cgop+global_header",
        **_OWN[encoder](rung, quality),
    }


def _x264(rung: Rung, cap: float, threads: int) -> dict[str, str]:
    return {
        "preset": rung.preset,
        "profile": "high",
        "crf": str(rung.crf),
        "maxrate": str(round(rung.maxrate * cap)),
        "bufsize": str(round(rung.bufsize * cap)),
        "g": "9999",
        "keyint_min": "1",
        "sc_threshold": "0",
        "rc-lookahead": str(look_ahead(rung)),
        "forced-idr": "1",
        "bf": "3",
        "b-pyramid": "normal",
        "flags": "+cgop+global_header",
        "threads": str(threads),
    }


def _nvenc(rung: Rung, quality: str) -> dict[str, str]:
    return {
        "preset": f"p{_NVENC.get(rung.preset, _NVENC_BEST)}",
        "tune": "hq",
        "rc": "vbr",
        "cq": quality,
        # Without an average to keep, quality alone decides below the cap.
        "b": "0",
        "no-scenecut": "1",
        "forced-idr": "1",
    }


def _qsv(rung: Rung, quality: str) -> dict[str, str]:
    return {
        "preset": _QSV.get(rung.preset, rung.preset),
        # With a quality, an average and a greatest rate FFmpeg chooses QVBR: quality below a cap.
        "global_quality": quality,
        "b": str(round(rung.maxrate * _AVERAGE)),
        "adaptive_i": "0",
        "adaptive_b": "0",
        "forced_idr": "1",
        "async_depth": "1",
    }


def _amf(rung: Rung, quality: str) -> dict[str, str]:
    return {
        "usage": "transcoding",
        "quality": _AMF.get(rung.preset, "quality"),
        "rc": "qvbr",
        "qvbr_quality_level": quality,
        "b": str(round(rung.maxrate * _AVERAGE)),
        "forced_idr": "1",
    }


_OWN = {"h264_nvenc": _nvenc, "h264_qsv": _qsv, "h264_amf": _amf}
