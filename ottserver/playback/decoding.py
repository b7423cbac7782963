"""Whether a player decodes a film's original, by what it says of itself. Pure."""

from __future__ import annotations

from ottserver.media import BROWSER_AVC_PROFILES

_AVC = ("avc1", "avc3")
_FAMILIES = {"h264": _AVC, "hevc": ("hvc1", "hev1"), "vp9": ("vp09",), "av1": ("av01",)}


def decodes(codecs: str, can: str) -> bool:
    """Whether a player shows pictures of the RFC 6381 name `codecs`.

    What every browser decodes of H.264, always; all else only where `can` has it: names of families (h264, hevc, vp9,
    av1) or beginnings of RFC 6381 names, between commas.
    """
    sample, _, rest = codecs.lower().partition(".")
    if sample in _AVC and rest[:2] in BROWSER_AVC_PROFILES:
        return True
    return any(_names(name.strip().lower(), sample, rest) for name in can.split(","))


def _names(name: str, sample: str, rest: str) -> bool:
    if name in _FAMILIES:
        return sample in _FAMILIES[name]
    said, _, beginning = name.partition(".")
    # Two names of one thing: where the parameter sets are makes no difference to a decoder.
    if not any({said, sample} <= set(family) for family in _FAMILIES.values()):
        return False
    if sample in _AVC:
        return rest.startswith(beginning)
    return f"{rest}.".startswith(f"{beginning}.") or not beginning
