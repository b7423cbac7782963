"""Whether pictures of H.264 are missing, told by the numbers that the others bear (ITU-T H.264 section 7.4.3). Pure."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from ottserver.backends.ffmpeg.bitstream import nal_units

if TYPE_CHECKING:
    from collections.abc import Iterable

_SLICES, _IDR, _SPS = (1, 2, 5), 5, 7
_HIGH_PROFILES = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
_444 = 3
_HEAD_BYTES = 24
_SPS_BYTES = 400
_AFTER_RESET = (0, 1)
# A picture may declare itself to be number 0 after the fact (memory management operation 5), where the next begins.


class _Bits:
    def __init__(self, data: bytes) -> None:
        """`data` is the beginning of a NAL unit."""
        # Emulation prevention (H.264 section 7.4.1) is taken off.
        clean = data.replace(b"\0\0\3", b"\0\0")
        self._value = int.from_bytes(clean)
        self._left = len(clean) * 8

    def take(self, count: int) -> int:
        """The next bits as a number. Raises `ValueError` at the end."""
        self._left -= count
        if self._left < 0:
            message = "the unit is too short"
            raise ValueError(message)
        return self._value >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        """The next unsigned Exp-Golomb code."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        """The next signed Exp-Golomb code."""
        code = self.golomb()
        return (code + 1) // 2 if code % 2 else -(code // 2)


class FrameNumbers:
    """Follows the pictures of one stream in the order of decoding."""

    def __init__(self, extradata: bytes, length: int) -> None:
        """`extradata` is the stream's configuration, `length` the bytes of the length before each NAL unit, or 0."""
        self._length = length
        self._bits = 0
        self._planes = False
        self._last: int | None = None
        units = _configured(extradata) if length else nal_units(extradata, 0)
        self._learn(unit for unit in units if unit and unit[0] & 0x1F == _SPS)

    def next(self, packet: bytes, *, key: bool) -> tuple[bool, bool]:
        """Whether pictures that this one may refer to are missing before it, and whether others may refer to it."""
        units = list(islice((unit for unit in nal_units(packet, self._length) if unit), 64))
        self._learn(unit for unit in units if unit[0] & 0x1F == _SPS)
        for unit in units:
            if unit[0] & 0x1F in _SLICES:
                return self._follow(unit, key=key)
        return False, True

    def _follow(self, unit: bytes, *, key: bool) -> tuple[bool, bool]:
        referred = bool(unit[0] & 0x60)
        if not self._bits:
            return False, referred
        bits = _Bits(unit[1:_HEAD_BYTES])
        try:
            for _ in range(3):
                bits.golomb()
            if self._planes:
                bits.take(2)
            number = bits.take(self._bits)
        except ValueError:
            return False, True
        last, whole = self._last, 1 << self._bits
        if referred:
            self._last = number
        if last is None or unit[0] & 0x1F == _IDR or number in _AFTER_RESET:
            return False, referred
        missing = number not in (last, (last + 1) % whole)
        return missing and not key, referred

    def _learn(self, sets: Iterable[bytes]) -> None:
        for unit in sets:
            try:
                self._bits, self._planes = _frame_number_bits(unit)
            except ValueError:
                self._bits = 0


def _configured(extradata: bytes) -> list[bytes]:
    """The first sequence parameter set of a configuration record (ISO/IEC 14496-15 section 5.3.3)."""
    if len(extradata) < 8 or not extradata[5] & 31:  # noqa: PLR2004 - the record's fixed head and one length
        return []
    size = int.from_bytes(extradata[6:8])
    return [extradata[8 : 8 + size]]


def _frame_number_bits(unit: bytes) -> tuple[int, bool]:
    """Bits of a frame's number, 0 where gaps in it mean nothing, and whether colour planes are coded apart."""
    bits = _Bits(unit[1:_SPS_BYTES])
    profile = bits.take(8)
    bits.take(16)
    bits.golomb()
    planes = False
    if profile in _HIGH_PROFILES:
        chroma = bits.golomb()
        planes = chroma == _444 and bool(bits.take(1))
        bits.golomb()
        bits.golomb()
        bits.take(1)
        if bits.take(1):
            for place in range(12 if chroma == _444 else 8):
                if bits.take(1):
                    _skip_scaling_list(bits, 16 if place < 6 else 64)  # noqa: PLR2004 - six lists of 4 x 4 come first
    count = bits.golomb() + 4
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(min(255, bits.golomb())):
            bits.signed()
    bits.golomb()
    return (0 if bits.take(1) else count), planes


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last
