"""What AAC packets say of themselves: AudioSpecificConfig and ADTS headers (ISO/IEC 14496-3). Pure."""

from __future__ import annotations

_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_LC = 2
_HEADER = 7
_CHECKED_HEADER = 9
_SYNC = 0xFFF
_SBR_SYNC = 0x2B7
_SBR = 5


def configuration(extradata: bytes, packet: bytes) -> tuple[int, int] | None:
    """Sample rate and channel configuration of plain AAC-LC with 1024 samples a frame; nothing for any other kind.

    `extradata` is the stream's AudioSpecificConfig; where it is empty the packet has an ADTS header of its own.
    """
    return _of_specific(extradata) if extradata else _of_header(packet)


def specific(rate: int, channels: int) -> bytes:
    """The AudioSpecificConfig of AAC-LC at one of the standard's rates."""
    return (_LC << 11 | _RATES.index(rate) << 7 | channels << 3).to_bytes(2, "big")


def payload(packet: bytes) -> bytes:
    """The frame behind an ADTS header."""
    return packet[_HEADER if packet[1:2] and packet[1] & 1 else _CHECKED_HEADER :]


def _of_specific(data: bytes) -> tuple[int, int] | None:
    bits = int.from_bytes(data, "big")
    length = len(data) * 8

    def field(at: int, count: int) -> int:
        return bits >> (length - at - count) & ((1 << count) - 1) if at + count <= length else 0

    kind, rate, channels = field(0, 5), field(5, 4), field(9, 4)
    # The last three: frames of 960 samples, a core coder, extensions of the bit stream.
    if length < 16 or kind != _LC or rate >= len(_RATES) or field(13, 3):  # noqa: PLR2004 - bits in the shortest one
        return None
    if field(16, 11) == _SBR_SYNC and field(27, 5) == _SBR and field(32, 1):
        return None
    return _RATES[rate], channels


def _of_header(packet: bytes) -> tuple[int, int] | None:
    if len(packet) <= _HEADER:
        return None
    bits = int.from_bytes(packet[:_HEADER], "big")
    sync, layer, kind = bits >> 44, bits >> 41 & 3, (bits >> 38 & 3) + 1
    rate, channels, length, blocks = bits >> 34 & 15, bits >> 30 & 7, bits >> 13 & 0x1FFF, bits & 3
    if sync != _SYNC or layer or kind != _LC or rate >= len(_RATES) or length != len(packet) or blocks:
        return None
    return _RATES[rate], channels
