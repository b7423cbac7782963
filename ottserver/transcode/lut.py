"""What a source's colours are in BT.709, as a table of 64 x 64 x 64 of them between which a filter interpolates.

Codes become light, the light is brought into the colours and under the white of the standard range, and becomes codes:

- Light of PQ and HLG is that of ITU-R BT.2100, in cd/m2; HLG is shown on its nominal display of 1000 cd/m2. Any other
  transfer is shown as displays do, by ITU-R BT.1886.
- Colours outside BT.709 move toward the grey of their own luminance as far as they must. Clipped one by one, red, green
  and blue would change their hue.
- White of the standard range is the reference white of ITU-R BT.2408, 203 cd/m2: a picture that was put into high
  dynamic range by that report comes back nearly as it was. What is brighter is rolled off by the EETF of ITU-R BT.2390
  section 5.4, from the film's peak on: with 1000 cd/m2 all up to 90 cd/m2 stays, reference white becomes 90 % of the
  signal, and the rest is for highlights. The curve works on the largest of red, green and blue, and the others keep
  their share, so hues stay and bright colours stay colours.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PQ, HLG = "smpte2084", "arib-std-b67"
SIDE = 512
"""Pixels of the table's picture: 64 to the power of 3/2."""
NOMINAL_PEAK = 1000
"""What HLG is defined for and most films in PQ are graded on, in cd/m2."""

_NODES = 64
_WHITE = 203.0
_PQ_PEAK = 10_000.0
_GAMMA = 2.4
_D65 = (0.3127, 0.3290)
# x and y of red, green, blue and white, from ITU-T H.273 table 2.
_PRIMARIES = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
    "bt470bg": ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060), _D65),
    "smpte170m": ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    "smpte240m": ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    "smpte431": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    "smpte432": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    "ebu3213": ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_LUMA_2020 = np.array([0.2627, 0.6780, 0.0593])
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073


def needs_cube(primaries: str, transfer: str) -> bool:
    """Whether a source's colours are others than those of BT.709; what says nothing is taken for BT.709."""
    return transfer in {PQ, HLG} or (primaries in _PRIMARIES and primaries != "bt709")


@lru_cache(maxsize=2)
def cube(primaries: str, transfer: str, peak: int, bits: int) -> NDArray[np.float32]:
    """The table for sources of these colours (names of FFmpeg), whose greatest light is `peak` cd/m2 where it is PQ.

    A picture of shape (512, 512, 3) as FFmpeg's `haldclut` takes it: red changes fastest, then green, then blue. Its
    scaler writes the greatest code of `bits` bits not as 1 but as the share of it that fits them (255/256 for 8 bits,
    and for limited range of any depth): the table is for such codes, and gives those of 8 bits.
    """
    ticks = np.linspace(0.0, 1.0, _NODES) / (1 - 0.5**bits)
    if transfer == PQ:
        ticks = pq_light(ticks.clip(0.0, 1.0))
    elif transfer == HLG:
        ticks = np.where(ticks <= 0.5, ticks**2 / 3, (np.exp((ticks - _C) / _A) + _B) / 12)  # noqa: PLR2004 - BT.2100 table 5
    else:
        ticks = ticks**_GAMMA
    blue, green, red = np.meshgrid(ticks, ticks, ticks, indexing="ij")
    light = np.stack([red, green, blue], axis=-1).reshape(-1, 3)
    if transfer == HLG:
        # The OOTF of BT.2100 table 5, for 1000 cd/m2.
        light *= NOMINAL_PEAK * ((light @ _LUMA_2020) ** 0.2)[:, None]
    if transfer in {PQ, HLG} and primaries not in _PRIMARIES:
        primaries = "bt2020"
    light = light @ _to_bt709(primaries).T
    if transfer in {PQ, HLG}:
        inside = _rolled_off(_gathered(light, np.inf), float(peak if transfer == PQ else NOMINAL_PEAK)) / _WHITE
    else:
        inside = _gathered(light, float(ticks[-1]))
    codes = (inside.clip(0.0) ** (1 / _GAMMA) * (1 - 0.5**8)).astype(np.float32).reshape(SIDE, SIDE, 3)
    codes.setflags(write=False)
    return codes


def pq_light(codes: Floats) -> Floats:
    """Light in cd/m2 of codes of PQ from 0 to 1 (SMPTE ST 2084)."""
    root = codes ** (1 / _M2)
    return _PQ_PEAK * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1)


def pq_code(light: Floats) -> Floats:
    """The code of PQ from 0 to 1 of light in cd/m2."""
    power = (light / _PQ_PEAK) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def _rolled_off(light: Floats, peak: float) -> Floats:
    """Light of at most 203 cd/m2: BT.2390's curve, without its lift of black."""
    brightest = light.max(axis=1)
    top = float(pq_code(np.array(max(peak, _WHITE))))
    most = float(pq_code(np.array(_WHITE))) / top
    knee = 1.5 * most - 0.5
    code = np.minimum(pq_code(brightest) / top, 1.0)
    part = np.maximum(code - knee, 0.0) / max(1 - knee, 1e-6)
    spline = (
        (2 * part**3 - 3 * part**2 + 1) * knee
        + (part**3 - 2 * part**2 + part) * (1 - knee)
        + (3 * part**2 - 2 * part**3) * most
    )
    shown = np.where(code < knee, brightest, pq_light(spline * top))
    share = shown / np.maximum(brightest, 1e-9)
    rolled: Floats = light * share[:, None]
    return rolled


def _gathered(light: Floats, most: float) -> Floats:
    """Linear light of BT.709 with what is below 0 or above `most` moved toward the grey of its luminance."""
    grey = (light @ _to_xyz("bt709")[1])[:, None].clip(0.0, most)
    away = light - grey
    room = np.where(away > 0, most - grey, grey)
    kept = (room / np.maximum(np.abs(away), 1e-9)).min(axis=1, keepdims=True).clip(0.0, 1.0)
    inside: Floats = grey + away * kept
    return inside


def _to_bt709(primaries: str) -> Floats:
    """The matrix that takes linear light to BT.709's primaries; white stays white, by Bradford's adaptation."""
    own, white = _BRADFORD @ _xyz(_PRIMARIES[primaries][3]), _BRADFORD @ _xyz(_D65)
    adapted = np.linalg.inv(_BRADFORD) @ np.diag(white / own) @ _BRADFORD
    matrix: Floats = np.linalg.inv(_to_xyz("bt709")) @ adapted @ _to_xyz(primaries)
    return matrix


def _to_xyz(primaries: str) -> Floats:
    """The matrix that takes linear light to CIE XYZ, white with a luminance of 1."""
    *colours, white = (_xyz(place) for place in _PRIMARIES[primaries])
    columns = np.stack(colours, axis=1)
    matrix: Floats = columns * np.linalg.solve(columns, white)
    return matrix


def _xyz(place: tuple[float, float]) -> Floats:
    x, y = place
    return np.array([x / y, 1.0, (1 - x - y) / y])
