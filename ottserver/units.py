"""Quantities in words, for sentences that people read."""

from __future__ import annotations

_UNITS = ("KB", "MB", "GB", "TB")
_STEP = 1000


def size(count: int) -> str:
    """A number of bytes in decimal units (IEC 80000-13): "1 byte", "512 bytes", "1.5 GB", "61 GB"."""
    if count < _STEP:
        return f"{count} byte" if count == 1 else f"{count} bytes"
    value, unit = count / _STEP, 0
    while round(value, 1) >= _STEP and unit + 1 < len(_UNITS):
        value, unit = value / _STEP, unit + 1
    return f"{value:.1f}".removesuffix(".0") + f" {_UNITS[unit]}"
