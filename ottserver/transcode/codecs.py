"""RFC 6381 codec strings from what encoders write into the init segment."""

from __future__ import annotations

_SPS = 7
_NAL_TYPE = 0x1F


def avc_codecs(extradata: bytes) -> str:
    """The avc1 string from H.264 parameter sets in Annex B form. Raises `ValueError` when there are none."""
    at = extradata.find(b"\0\0\1")
    while at >= 0:
        if extradata[at + 3] & _NAL_TYPE == _SPS:
            return f"avc1.{extradata[at + 4 : at + 7].hex()}"
        at = extradata.find(b"\0\0\1", at + 3)
    message = "the video encoder gave no sequence parameter set"
    raise ValueError(message)


def level_of(extradata: bytes) -> int:
    """The level of H.264 parameter sets in Annex B form, times ten. Raises `ValueError` when there are none."""
    return int(avc_codecs(extradata)[-2:], 16)


def aac_codecs(extradata: bytes) -> str:
    """The mp4a string from an AudioSpecificConfig (ISO/IEC 14496-3). Raises `ValueError` when it is empty."""
    if not extradata:
        message = "the audio encoder gave no configuration"
        raise ValueError(message)
    return f"mp4a.40.{extradata[0] >> 3}"
