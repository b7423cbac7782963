"""What coded video says of itself without being decoded: RFC 6381 names, and where a decoder may begin. Pure.

H.264 and HEVC come as NAL units behind lengths (ISO/IEC 14496-15) or start codes (Annex B of ITU-T H.264 and H.265);
which, the stream's configuration tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

_AVC_SPS, _AVC_SLICES, _AVC_IDR = 7, range(1, 6), 5
_HEVC_SPS, _HEVC_SLICES, _HEVC_CLOSED = 33, range(32), range(16, 21)
# BLA and IDR pictures. A clean random access picture (21) may be followed by pictures that refer to what is before it.
_AVCC_BYTES, _HVCC_BYTES, _AV1C_BYTES = 7, 23, 4
_AV1C_MARKER = 0x81
_PTL_BYTES = 12
_VP9_LEVELS = (
    (10, 829_440, 36_864), (11, 2_764_800, 73_728), (20, 4_608_000, 122_880), (21, 9_216_000, 245_760),
    (30, 20_736_000, 552_960), (31, 36_864_000, 983_040), (40, 83_558_400, 2_228_224), (41, 160_432_128, 2_228_224),
    (50, 311_951_360, 8_912_896), (51, 588_251_136, 8_912_896), (52, 1_176_502_272, 8_912_896),
    (60, 1_176_502_272, 35_651_584), (61, 2_353_004_544, 35_651_584),
)  # fmt: skip
# Level, most luma samples a second, most luma samples of a picture ("VP9 Bitstream & Decoding Process", annex A).


def length_size(codec: str, extradata: bytes) -> int:
    """Bytes of the length before each NAL unit, or 0 where start codes stand between them."""
    if codec == "h264" and len(extradata) >= _AVCC_BYTES and extradata[0] == 1:
        return (extradata[4] & 3) + 1
    if codec == "hevc" and len(extradata) >= _HVCC_BYTES and (any(extradata[:2]) or extradata[2] > 1):
        return (extradata[21] & 3) + 1
    return 0


def nal_units(data: bytes, length: int) -> Iterator[bytes]:
    """The NAL units of a packet; `length` is what `length_size` gives."""
    at = 0
    if length:
        while at + length < len(data):
            size = int.from_bytes(data[at : at + length])
            yield data[at + length : at + length + size]
            at += length + size
        return
    at = data.find(b"\0\0\1")
    while at >= 0:
        end = data.find(b"\0\0\1", at + 3)
        yield data[at + 3 : end if end >= 0 else len(data)]
        at = end


def begins_anew(codec: str, packet: bytes, length: int) -> bool:
    """Whether nothing after this key picture refers to anything before it, by the picture's own type.

    H.264 and HEVC say so in the picture; of other codecs the container's mark is enough.
    """
    if codec == "h264":
        kinds = (unit[0] & 0x1F for unit in nal_units(packet, length) if unit)
        return next((kind == _AVC_IDR for kind in kinds if kind in _AVC_SLICES), False)
    if codec == "hevc":
        kinds = (unit[0] >> 1 & 0x3F for unit in nal_units(packet, length) if unit)
        return next((kind in _HEVC_CLOSED for kind in kinds if kind in _HEVC_SLICES), False)
    return True


def same_sets(codec: str, packet: bytes, extradata: bytes) -> bool:
    """Whether a packet between start codes brings no other sequence parameter set than the stream's configuration."""
    known = {_sps(unit) for unit in _sets(codec, nal_units(extradata, 0))}
    return all(_sps(unit) in known for unit in _sets(codec, nal_units(packet, 0)))


def _sets(codec: str, units: Iterator[bytes]) -> list[bytes]:
    if codec == "h264":
        return [unit for unit in units if unit and unit[0] & 0x1F == _AVC_SPS]
    return [unit for unit in units if unit and unit[0] >> 1 & 0x3F == _HEVC_SPS]


def _sps(unit: bytes) -> bytes:
    # Zeros before the next start code belong to it.
    return unit.rstrip(b"\0")


def avc_codecs(extradata: bytes) -> str:
    """The avc1 string of an H.264 stream's configuration. Raises `ValueError` when it holds none."""
    if length_size("h264", extradata):
        return f"avc1.{extradata[1:4].hex()}"
    for unit in _sets("h264", nal_units(extradata, 0)):
        return f"avc1.{unit[1:4].hex()}"
    message = "the video stream has no sequence parameter set"
    raise ValueError(message)


def codecs_of(codec: str, extradata: bytes, *, profile: int, depth: int, size: tuple[int, int], rate: Fraction) -> str:
    """The RFC 6381 string of a stream of H.264, HEVC, VP9 or AV1, or nothing when it is none or says too little.

    `profile` and `depth` (bits a sample) are asked of VP9 only, whose streams carry no configuration, as are `size` in
    pixels and `rate` in frames a second.
    """
    if codec == "h264":
        try:
            return avc_codecs(extradata)
        except ValueError:
            return ""
    if codec == "hevc":
        return _hevc_codecs(extradata)
    if codec == "av1" and len(extradata) >= _AV1C_BYTES and extradata[0] == _AV1C_MARKER:
        high, twelve = extradata[2] >> 6 & 1, extradata[2] >> 5 & 1
        bits = (12 if twelve else 10) if high else 8
        return f"av01.{extradata[1] >> 5}.{extradata[1] & 31:02d}{'MH'[extradata[2] >> 7]}.{bits:02d}"
    if codec == "vp9":
        area = size[0] * size[1]
        level = next((name for name, speed, most in _VP9_LEVELS if area <= most and area * rate <= speed), 62)
        return f"vp09.{profile:02d}.{level:02d}.{depth:02d}"
    return ""


def _hevc_codecs(extradata: bytes) -> str:
    """As ISO/IEC 14496-15 annex E.3 wants."""
    if length_size("hevc", extradata):
        layer = extradata[1 : 1 + _PTL_BYTES]
    else:
        # After two bytes of header and one of ids; emulation prevention (H.265 section 7.4.2) is taken off first.
        units = [unit.replace(b"\0\0\3", b"\0\0") for unit in _sets("hevc", nal_units(extradata, 0))]
        layer = units[0][3 : 3 + _PTL_BYTES] if units else b""
    if len(layer) < _PTL_BYTES:
        return ""
    compatible = int(f"{int.from_bytes(layer[1:5]):032b}"[::-1], 2)
    space, tier, profile = ("", "A", "B", "C")[layer[0] >> 6], "LH"[layer[0] >> 5 & 1], layer[0] & 31
    constraints = "".join(f".{byte:X}" for byte in layer[5:11].rstrip(b"\0"))
    return f"hvc1.{space}{profile}.{compatible:X}.{tier}{layer[11]}{constraints}"
