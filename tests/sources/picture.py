"""The test picture: its frame's number as squares of light, a flash, four different corners and flat patches.

Drawn in planes of luma and chroma computed here, by the equations of ITU-R BT.601, BT.709 and BT.2020, so that what a
conversion makes of them can be judged without trusting another converter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import av
import numpy as np

from tests.sources.light import coded

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    Rgb = tuple[float, float, float]
    Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

COLUMNS, ROWS = 8, 6
BITS = 16
FLASH = (0, slice(2, 6))
GREYS = (0.15, 0.35, 0.6, 0.85)
CORNERS: tuple[Rgb, ...] = ((0.7, 0.1, 0.1), (0.1, 0.6, 0.15), (0.15, 0.2, 0.75), (0.75, 0.7, 0.1))
"""Top left, top right, bottom left, bottom right: red, green, blue, yellow."""
PATCHES: tuple[Rgb, ...] = (
    *((grey, grey, grey) for grey in GREYS),
    (0.75, 0.55, 0.45), (0.3, 0.6, 0.65), (0.6, 0.3, 0.6), (0.8, 0.45, 0.15),
)  # fmt: skip
_LUMA = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
# Kr and Kb by the code points of ITU-T H.273.
_RGB = 0
_LIT = 0.5


@dataclass(frozen=True)
class Look:
    """How pictures are coded: pixel format, size, matrix and range; primaries and transfer (all ITU-T H.273)."""

    size: tuple[int, int]
    pixel_format: str
    matrix: int
    full: bool
    primaries: int = 1
    transfer: int = 1


@dataclass(frozen=True)
class Seen:
    """What a picture shows, as RGB values from 0 to 1."""

    number: int | None
    """Nothing when the squares contradict each other: this is no picture of the source."""
    flash: bool
    corners: tuple[Rgb, ...]
    patches: tuple[Rgb, ...]


def _checked(number: int) -> int:
    return (number * 151 ^ number >> 7) & 0xFF


def _cells(number: int, *, flash: bool) -> list[tuple[int, int, bool]]:
    bits = [(1 + place // COLUMNS, place % COLUMNS, bool(number >> (BITS - 1 - place) & 1)) for place in range(BITS)]
    bits += [(3, place, bool(_checked(number) >> (7 - place) & 1)) for place in range(COLUMNS)]
    return [*bits, *((0, column, flash) for column in range(2, 6))]


def _edges(length: int, parts: int) -> list[int]:
    return [round(length * part / parts) for part in range(parts + 1)]


def _still(size: tuple[int, int]) -> Floats:
    """What all frames have in common, shape (height, width, 3)."""
    width, height = size
    columns, rows = _edges(width, COLUMNS), _edges(height, ROWS)
    picture = np.full((height, width, 3), 0.5)
    for corner, colour in enumerate(CORNERS):
        top, left = (0, 5)[corner // 2], (0, 6)[corner % 2]
        picture[rows[top] : rows[top + 1], columns[left] : columns[left + 2]] = colour
    for column, colour in enumerate(PATCHES):
        picture[rows[4] : rows[5], columns[column] : columns[column + 1]] = colour
    picture[rows[0] : rows[1], columns[2] : columns[6]] = 0
    picture[rows[1] : rows[4]] = 0
    return picture


def _quantised(luma: Floats, chroma: list[Floats], look: Look, bits: int) -> list[np.ndarray]:
    scale = 1 << (bits - 8)
    if look.full:
        return [luma * (256 * scale - 1), *(128 * scale + part * (256 * scale - 1) for part in chroma)]
    return [(16 + 219 * luma) * scale, *((128 + 224 * part) * scale for part in chroma)]


@lru_cache(maxsize=4)
def _planes(look: Look) -> tuple[list[np.ndarray], int]:
    """The still picture's planes, and the bits of one of their samples."""
    layout = av.VideoFormat(look.pixel_format, *look.size)
    bits = layout.components[0].bits
    rgb = coded(_still(look.size), look.primaries, look.transfer)
    if look.matrix == _RGB:
        order = [1, 2, 0] if look.pixel_format.startswith("gbr") else [0, 1, 2]
        return [np.rint(rgb[..., channel] * ((1 << bits) - 1)).astype(np.uint16) for channel in order], bits
    red, blue = _LUMA[look.matrix]
    luma = rgb @ np.array([red, 1 - red - blue, blue])
    chroma = [(rgb[..., 2] - luma) / (2 - 2 * blue), (rgb[..., 0] - luma) / (2 - 2 * red)]
    planes = _quantised(luma, chroma, look, bits)
    for number, plane in enumerate(planes[1 : len(layout.components)], 1):
        part = layout.components[number]
        down, across = round(layout.height / part.height), round(layout.width / part.width)
        padded = np.pad(plane, ((0, -plane.shape[0] % down), (0, -plane.shape[1] % across)), mode="edge")
        planes[number] = padded.reshape(part.height, down, part.width, across).mean(axis=(1, 3))
    count = len(layout.components)
    return [np.rint(plane).astype(np.uint16) for plane in planes[:count]], bits


def draw(number: int, look: Look, *, flash: bool) -> VideoFrame:
    """The frame of that number."""
    still, bits = _planes(look)
    columns, rows = _edges(look.size[0], COLUMNS), _edges(look.size[1], ROWS)
    scale = 1 << (bits - 8)
    full = look.full or look.matrix == _RGB
    dark, light = (0, 256 * scale - 1) if full else (16 * scale, 235 * scale)
    light = dark + round((light - dark) * float(coded(np.ones(3), look.primaries, look.transfer).mean()))
    planes = [plane.copy() for plane in (still if look.matrix == _RGB else still[:1])]
    for row, column, lit in _cells(number, flash=flash):
        for plane in planes:
            plane[rows[row] : rows[row + 1], columns[column] : columns[column + 1]] = light if lit else dark
    frame = av.VideoFrame(*look.size, look.pixel_format)
    kind = "u1" if bits == 8 else "<u2"
    for target, plane in zip(frame.planes, [*planes, *still[len(planes) :]], strict=True):
        wide = np.zeros((plane.shape[0], target.line_size // np.dtype(kind).itemsize))
        wide[:, : plane.shape[1]] = plane
        target.update(wide.astype(kind).tobytes())
    return frame


def look_at(frame: VideoFrame, *, turned: int = 0, white: float = 1.0) -> Seen:
    """What a BT.709 picture of limited range shows; `turned` says by how many clockwise quarter turns it was rotated.

    `white` is how squares of light are shown, from 0 to 1.
    Its samples are converted here, by the equations of the standard.
    """
    planes = [_plane(frame, number) for number in range(3)]
    height, width = planes[0].shape
    luma = (planes[0] - 16) / 219
    blue, red = ((_enlarged(plane, (height, width)) - 128) / 224 for plane in planes[1:])
    kr, kb = _LUMA[1]
    rgb = np.stack([luma + (2 - 2 * kr) * red, luma, luma + (2 - 2 * kb) * blue], axis=2)
    rgb[..., 1] = (luma - kr * rgb[..., 0] - kb * rgb[..., 2]) / (1 - kr - kb)
    upright = np.rot90(rgb, turned)
    columns, rows = _edges(upright.shape[1], COLUMNS), _edges(upright.shape[0], ROWS)

    def mean(row: int, left: int, right: int) -> Rgb:
        top, bottom, start, end = rows[row], rows[row + 1], columns[left], columns[right]
        down, across = (bottom - top) // 4, (end - start) // 4
        area = upright[top + down : bottom - down, start + across : end - across]
        red, green, blue = area.mean(axis=(0, 1)).tolist()
        return red, green, blue

    number = checked = 0
    for row, column, _ in _cells(0, flash=False)[: BITS + COLUMNS]:
        lit = mean(row, column, column + 1)[1] > _LIT * white
        if row < 3:
            number = number * 2 + lit
        else:
            checked = checked * 2 + lit
    return Seen(
        number if checked == _checked(number) else None,
        flash=mean(0, 2, 6)[1] > _LIT * white,
        corners=(mean(0, 0, 2), mean(0, 6, 8), mean(5, 0, 2), mean(5, 6, 8)),
        patches=tuple(mean(4, column, column + 1) for column in range(COLUMNS)),
    )


def _plane(frame: VideoFrame, number: int) -> Floats:
    plane = frame.planes[number]
    samples: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = np.frombuffer(bytes(plane), np.uint8)
    return samples.reshape(plane.height, plane.line_size)[:, : plane.width].astype(np.float64)


def _enlarged(plane: Floats, shape: tuple[int, int]) -> Floats:
    return np.repeat(np.repeat(plane, 2, axis=0), 2, axis=1)[: shape[0], : shape[1]]
