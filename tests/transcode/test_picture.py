"""Colours, held to codes that `tests.sources.light` computes by other equations than the server's."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from ottserver.media import VideoStream
from ottserver.transcode.picture import Converter
from tests.sources.light import coded, hlg, pq

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from tests.sources.light import Floats

PQ, HLG = 16, 18
TRANSFERS = {1: "bt709", 14: "bt2020-10", PQ: "smpte2084", HLG: "arib-std-b67"}
PRIMARIES = {1: "bt709", 5: "bt470bg", 6: "smpte170m", 9: "bt2020", 11: "smpte431", 12: "smpte432"}
LUMA = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
FROM_2020 = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))
# ITU-R BT.2407 section 2.
SIDE = 16
BLACK, WHITE = 16, 235
COLOURS = np.array([
    (0.5, 0.5, 0.5), (0.75, 0.55, 0.45), (0.3, 0.6, 0.65), (0.6, 0.3, 0.6), (0.8, 0.45, 0.15), (0.6, 0.2, 0.2),
    (0.25, 0.55, 0.25), (0.2, 0.25, 0.6), (0.9, 0.85, 0.3), (0.4, 0.8, 0.8), (1, 1, 1), (0.02, 0.02, 0.02),
])  # fmt: skip
"""Codes of BT.709, inside all other primaries."""
GREYS = np.array([0.0, 0.05, 0.1, 0.5, 1, 3, 10, 26, 50, 80, 90])
"""In cd/m2; all that is shown as it is, by its light over that of the reference white."""


def stream(primaries: int, transfer: int, *, peak: int = 0) -> VideoStream:
    return VideoStream(
        0, "hevc", SIDE, SIDE, "1/1", 0, "yuv444p10le", interlaced=False, frame_rate="25/1", time_base="1/25", origin=0,
        frames=1, color_primaries=PRIMARIES.get(primaries, "unknown"), color_transfer=TRANSFERS[transfer], peak=peak,
    )  # fmt: skip


def drawn(codes: Floats, matrix: int, *, full: bool = False) -> VideoFrame:
    """Patches side by side of R'G'B' codes from 0 to 1, in YCbCr of ten bits."""
    red, blue = LUMA[matrix]
    luma = codes @ np.array([red, 1 - red - blue, blue])
    chroma = (codes[:, 2] - luma) / (2 - 2 * blue), (codes[:, 0] - luma) / (2 - 2 * red)
    planes = [1023 * luma, *(512 + 1023 * part for part in chroma)]
    if not full:
        planes = [64 + 876 * luma, *(512 + 896 * part for part in chroma)]
    frame = av.VideoFrame(SIDE * len(codes), SIDE, "yuv444p10le")
    for target, plane in zip(frame.planes, planes, strict=True):
        row = np.zeros(target.line_size // 2, "<u2")
        row[: SIDE * len(codes)] = np.rint(plane).clip(0, 1023).repeat(SIDE)
        target.update(row.tobytes() * SIDE)
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    return frame


def patches(frame: VideoFrame) -> Floats:
    """Y, Cb and Cr of the middle of each patch; shape (patches, 3)."""
    planes = []
    for plane, side in zip(frame.planes, (SIDE, SIDE // 2, SIDE // 2), strict=True):
        samples = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        middle = samples.astype(np.float64).reshape(plane.height, -1, side)[side // 4 : -side // 4]
        planes.append(middle[:, :, side // 4 : -side // 4].mean(axis=(0, 2)))
    return np.stack(planes, axis=1)


def shown(codes: Floats, video: VideoStream, matrix: int, *, full: bool = False) -> Floats:
    """What the patches become."""
    return patches(Converter(video, SIDE * len(codes), SIDE, 1).convert(drawn(codes, matrix, full=full)))


def rgb(seen: Floats) -> Floats:
    """Codes of red, green and blue from 0 to 1 of what is BT.709 of limited range."""
    luma, blue, red = (seen[:, 0] - 16) / 219, (seen[:, 1] - 128) / 224, (seen[:, 2] - 128) / 224
    reds, blues = luma + 1.5748 * red, luma + 1.8556 * blue
    return np.stack([reds, (luma - 0.2126 * reds - 0.0722 * blues) / 0.7152, blues], axis=1)


def hue(light: Floats) -> Floats:
    """Degrees around white in the uniform chromaticity of CIE 1976, of linear light of BT.709."""
    x, y, z = (light @ np.array(((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))).T).T
    whole = x + 15 * y + 3 * z
    degrees: Floats = np.degrees(np.arctan2(9 * y / whole - 0.46832, 4 * x / whole - 0.19783))
    return degrees


def grey(light: Floats, transfer: int) -> Floats:
    """Codes of greys in high dynamic range."""
    return (pq if transfer == PQ else hlg)(light[:, None].repeat(3, axis=1))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("primaries", "transfer", "matrix"),
    [(5, 1, 5), (6, 1, 6), (5, 1, 1), (12, 1, 1), (9, 14, 9), (1, 1, 1), (1, 1, 6), (0, 1, 6)],
)
def test_colours_of_other_primaries_are_shown_as_they_are(
    primaries: int, transfer: int, matrix: int, *, full: bool
) -> None:
    seen = rgb(shown(coded(COLOURS, primaries, transfer), stream(primaries, transfer), matrix, full=full))
    assert np.abs(seen - COLOURS).max() * 255 <= 3


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_light_up_to_90_is_shown_as_it_is_on_a_white_of_203(transfer: int) -> None:
    seen = shown(grey(GREYS, transfer), stream(9, transfer), 9)
    assert np.abs(seen[:, 0] - (16 + 219 * (GREYS / 203) ** (1 / 2.4))).max() <= 1.5
    assert np.abs(seen[:, 1:] - 128).max() <= 0.5


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_colours_of_high_dynamic_range_are_shown_as_they_are(transfer: int) -> None:
    seen = rgb(shown(coded(COLOURS, 9, transfer), stream(9, transfer), 9))
    dark = COLOURS.max(axis=1) < 0.95
    assert np.abs(seen - COLOURS * (100 / 203) ** (1 / 2.4))[dark].max() * 255 <= 3


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("full", [False, True])
def test_reference_white_leaves_room_for_highlights_that_keep_their_detail(transfer: int, *, full: bool) -> None:
    light = np.array([203.0, 300, 400, 600, 1000])
    luma = shown(grey(light, transfer), stream(9, transfer), 9, full=full)[:, 0]
    assert luma[0] == pytest.approx(BLACK + 0.903 * (WHITE - BLACK), abs=1)
    assert np.diff(luma)[:3].min() >= 3
    assert luma[4] == pytest.approx(WHITE, abs=0.5)


def test_curve_follows_the_peak_that_a_film_states() -> None:
    codes = grey(np.array([26.0, 203, 1000, 2000, 4000]), PQ)
    plain = shown(codes, stream(9, PQ), 9)[:, 0]
    stated = shown(codes, stream(9, PQ, peak=4000), 9)[:, 0]
    assert plain[2:] == pytest.approx([WHITE] * 3, abs=0.5)
    assert stated[0] == pytest.approx(plain[0], abs=0.5)
    assert np.diff(stated).min() >= 1
    assert stated[4] == pytest.approx(WHITE, abs=0.5)


@pytest.mark.parametrize("peak", [100, 203])
def test_film_that_is_no_brighter_than_white_is_not_rolled_off(peak: int) -> None:
    luma = shown(grey(np.array([100.0, 203]), PQ), stream(9, PQ, peak=peak), 9)[:, 0]
    # At its very end the curve has a corner, which lies between two places of a table.
    assert luma == pytest.approx([BLACK + 219 * (100 / 203) ** (1 / 2.4), WHITE], abs=4)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_ramp_is_neutral_and_never_falls(transfer: int) -> None:
    ramp = np.linspace(0, 1, 400)[:, None].repeat(3, axis=1)
    seen = shown(ramp, stream(9, transfer), 9)
    assert np.diff(seen[:, 0]).min() >= 0
    assert np.diff(seen[:, 0]).max() <= 3
    assert np.abs(seen[:, 1:] - 128).max() <= 0.5
    assert (seen[0, 0], seen[-1, 0]) == (BLACK, WHITE)


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("light", [20.0, 300.0])
def test_colours_that_cannot_be_shown_keep_their_hue(transfer: int, light: float) -> None:
    pure = np.array([(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1), (1, 0.4, 0)], np.float64)
    codes = (pq if transfer == PQ else hlg)(pure * light)
    seen = rgb(shown(codes, stream(9, transfer), 9))
    away = (hue(seen.clip(0, 1) ** 2.4) - hue(pure @ np.array(FROM_2020).T) + 180) % 360 - 180
    assert np.abs(away).max() < 5
    # And are as far from grey as they can be.
    assert seen.min(axis=1).max() < 0.06
    assert ((seen > -0.03) & (seen < 1.03)).all()


def test_colours_of_a_wider_standard_range_keep_their_hue() -> None:
    pure = np.array([(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0.4, 0), (0.5, 1, 0)], np.float64)
    seen = rgb(shown(pure ** (1 / 2.4), stream(9, 14), 9))
    away = (hue(seen.clip(0, 1) ** 2.4) - hue(pure @ np.array(FROM_2020).T) + 180) % 360 - 180
    assert np.abs(away).max() < 5


@pytest.mark.parametrize("primaries", [5, 6, 9, 11, 12])
def test_white_stays_white_and_greys_stay_greys(primaries: int) -> None:
    greys = np.array([0.0, 0.02, 0.1, 0.3, 0.5, 0.8, 1.0])
    seen = shown(greys[:, None].repeat(3, axis=1), stream(primaries, 1), 1)
    assert seen[:, 0] == pytest.approx(16 + 219 * greys, abs=1)
    assert np.abs(seen[:, 1:] - 128).max() <= 0.5


def test_matrix_that_nobody_states_is_that_of_the_primaries() -> None:
    frame = drawn(coded(COLOURS, 9, PQ), 9)
    frame.colorspace = 2
    seen = rgb(patches(Converter(stream(9, PQ), frame.width, SIDE, 1).convert(frame)))
    dark = COLOURS.max(axis=1) < 0.95
    assert np.abs(seen - COLOURS * (100 / 203) ** (1 / 2.4))[dark].max() * 255 <= 3


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize(
    ("primaries", "transfer", "shade"), [(9, PQ, 0.745), (9, HLG, 0.745), (6, 1, 1.0), (1, 1, 1.0)]
)
def test_film_in_black_and_white_keeps_its_greys(
    primaries: int, transfer: int, shade: float, *, deep: bool, full: bool
) -> None:
    greys = np.array([0.0, 0.1, 0.5, 0.9])
    codes = coded(greys[:, None].repeat(3, axis=1), primaries, transfer)
    frame = drawn(codes, 9, full=full)
    luma = np.frombuffer(bytes(frame.planes[0]), "<u2").reshape(SIDE, -1)[:, : SIDE * len(greys)]
    frame = av.VideoFrame.from_ndarray(luma if deep else (luma >> 2).astype(np.uint8), "gray10le" if deep else "gray")
    frame.colorspace, frame.color_range, frame.pts, frame.time_base = 9, 2 if full else 1, 0, Fraction(1, 25)
    seen = patches(Converter(stream(primaries, transfer), frame.width, SIDE, 1).convert(frame))
    assert seen[:, 0] == pytest.approx(BLACK + 219 * shade * greys, abs=2.5)
    assert np.abs(seen[:, 1:] - 128).max() <= 0.5


def test_frames_are_converted_whatever_their_times_are() -> None:
    light = np.array([10.0])
    converter = Converter(stream(9, PQ), SIDE, SIDE, 1)
    luma = []
    for number, pts in enumerate([50, None, 3, 3, -7, None, 10**12]):
        frame = drawn(grey(light * (number + 1), PQ), 9)
        frame.pts = pts
        luma.append(patches(converter.convert(frame))[0, 0])
    assert luma == pytest.approx([16 + 219 * (10 * n / 203) ** (1 / 2.4) for n in range(1, 8)], abs=1)
