"""Colours as a camera of another standard would code them, by published matrices and equations.

Written apart from the server's own conversion, so that one can be held to the other. All take the picture as BT.709
shows it, values from 0 to 1 in the last axis, and give codes from 0 to 1 of the other standard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

DIFFUSE = 100.0
"""Light of white of the drawn picture in high dynamic range, in cd/m2; what is not brighter is shown as it is."""
_REFERENCE = 203.0
# ITU-R BT.2408 section 2.2.
_PQ, _HLG = 16, 18
_TO_709 = {
    # SMPTE RP 177 for SMPTE-C and EBU; P3 with D65 as in Apple's and Microsoft's tables.
    5: ((1.0440, -0.0440, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0119, 0.9881)),
    6: ((0.9395, 0.0502, 0.0103), (0.0178, 0.9658, 0.0164), (-0.0016, -0.0044, 1.0060)),
    12: ((1.2249, -0.2249, 0.0), (-0.0420, 1.0420, 0.0), (-0.0197, -0.0786, 1.0983)),
}
_TO_2020 = ((0.6274, 0.3293, 0.0433), (0.0691, 0.9195, 0.0114), (0.0164, 0.0880, 0.8956))
# ITU-R BT.2087 table 2.
_LUMA = (0.2627, 0.6780, 0.0593)


def coded(shown: Floats, primaries: int, transfer: int) -> Floats:
    """Codes of colours by code points of ITU-T H.273; in PQ and HLG their white has 100 cd/m2."""
    light = _from_709(shown**2.4, primaries)
    if transfer == _PQ:
        return pq(light * DIFFUSE)
    if transfer == _HLG:
        return hlg(light * DIFFUSE)
    codes: Floats = light.clip(0, 1) ** (1 / 2.4)
    return codes


def displayed(shown: Floats, primaries: int, transfer: int) -> Floats:
    """What BT.709 is to show of the drawn picture's colours, as far as the other standard could code them.

    In high dynamic range it is their light over the reference white.
    """
    light = _from_709(shown**2.4, primaries).clip(0, 1)
    if primaries == 9:
        light = light @ np.linalg.inv(np.array(_TO_2020)).T
    if primaries in _TO_709:
        light = light @ np.array(_TO_709[primaries]).T
    scale = DIFFUSE / _REFERENCE if transfer in {_PQ, _HLG} else 1.0
    codes: Floats = (light.clip(0, 1) * scale) ** (1 / 2.4)
    return codes


def _from_709(light: Floats, primaries: int) -> Floats:
    if primaries == 9:
        matrix = np.array(_TO_2020)
    elif primaries in _TO_709:
        matrix = np.linalg.inv(np.array(_TO_709[primaries]))
    else:
        return light
    own: Floats = light @ matrix.T
    return own


def pq(light: Floats) -> Floats:
    """The codes of light in cd/m2 (SMPTE ST 2084)."""
    power = (light.clip(0, 10_000) / 10_000) ** 0.1593017578125
    codes: Floats = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    return codes


def hlg(light: Floats) -> Floats:
    """The codes of light on a display of 1000 cd/m2, in BT.2020 (ITU-R BT.2100 table 5): inverse OOTF and OETF."""
    display = light.clip(0, 1000) / 1000
    luma = np.maximum(display @ np.array(_LUMA), 1e-9)[..., None]
    scene = display * luma ** (1 / 1.2 - 1)
    dark, bright = np.sqrt(3 * scene), 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    codes: Floats = np.where(scene <= 1 / 12, dark, bright)
    return codes
