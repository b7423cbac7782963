"""How long a packet of Opus sounds, by its first bytes (RFC 6716 section 3.1). Pure."""

from __future__ import annotations

_SILK = (480, 960, 1920, 2880)
_HYBRID = (480, 960)
_CELT = (120, 240, 480, 960)
_LAST_SILK, _LAST_HYBRID = 11, 15
_MOST_SAMPLES = 5760


def packet_samples(packet: bytes) -> int | None:
    """Samples at 48 kHz, or nothing when this is no packet of Opus."""
    if not packet:
        return None
    mode, code = packet[0] >> 3, packet[0] & 3
    if mode <= _LAST_SILK:
        frame = _SILK[mode % 4]
    elif mode <= _LAST_HYBRID:
        frame = _HYBRID[mode % 2]
    else:
        frame = _CELT[mode % 4]
    count = (1, 2, 2)[code] if code < 3 else packet[1] & 63 if len(packet) > 1 else 0  # noqa: PLR2004 - 3: counted
    return frame * count if 0 < frame * count <= _MOST_SAMPLES else None
