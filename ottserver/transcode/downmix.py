"""Any channels to stereo or 5.1, by the frame and without state: the same wherever decoding begins. Children only.

A layout is first folded into 5.1, then into stereo with ITU-R BS.775's coefficients as they are: the centre, where
people speak, stays at -3 dB in both sides, as loud beside the front pair as it was, and the whole as loud as the source
(-21.4 LUFS of -21.6 in the demo film). swresample turns whole numbers down by 7.7 dB so that nothing can clip, and lets
floats clip; here `limiter` takes down the few places that would. The deep effects of the LFE channel are left out of
stereo, as BS.775 wants: what the story needs is in the other channels, and small speakers would only distort.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from ottserver.backends.ffmpeg.layouts import positions

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

Samples = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
"""Shape (channels, n): left and right, or left, right, centre, LFE and both surrounds; full scale is 1.0."""

LAYOUTS = {2: "stereo", 6: "5.1"}
"""FFmpeg's names of what is made."""
_STEREO = 2
_DOWN = 0.5**0.5
_LEFT, _RIGHT, _CENTRE, _LFE, _SURROUND_LEFT, _SURROUND_RIGHT = np.eye(6)
_SURROUNDS = _SURROUND_LEFT + _SURROUND_RIGHT
_FOLDED = {
    "FL": _LEFT,
    "FR": _RIGHT,
    "FC": _CENTRE,
    "LFE": _LFE,
    "LFE2": _LFE,
    "DL": _LEFT,
    "DR": _RIGHT,
    "WL": _LEFT,
    "WR": _RIGHT,
    "FLC": (_LEFT + _CENTRE) * _DOWN,
    "FRC": (_RIGHT + _CENTRE) * _DOWN,
    "SL": _SURROUND_LEFT,
    "SR": _SURROUND_RIGHT,
    "SDL": _SURROUND_LEFT,
    "SDR": _SURROUND_RIGHT,
    "BL": _SURROUND_LEFT,
    "BR": _SURROUND_RIGHT,
    "BC": _SURROUNDS * _DOWN,
    "TFL": _LEFT * _DOWN,
    "TFC": _CENTRE * _DOWN,
    "TFR": _RIGHT * _DOWN,
    "TSL": _SURROUND_LEFT * _DOWN,
    "TSR": _SURROUND_RIGHT * _DOWN,
    "TBL": _SURROUND_LEFT * _DOWN,
    "TBC": _SURROUNDS / 2,
    "TBR": _SURROUND_RIGHT * _DOWN,
    "TC": _SURROUNDS / 2,
    "BFL": _LEFT * _DOWN,
    "BFC": _CENTRE * _DOWN,
    "BFR": _RIGHT * _DOWN,
}
_BS_775 = np.array([[1, 0, _DOWN, 0, _DOWN, 0], [0, 1, _DOWN, 0, 0, _DOWN]])
_KINDS = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}
_FIVE_ONE = ("FL", "FR", "FC", "LFE", "BL", "BR")
_USUAL = {1: ("FC",), 6: _FIVE_ONE, 8: (*_FIVE_ONE, "SL", "SR")}
# What a number of channels means where nothing says where they belong; of any other number the first two are played.


@lru_cache(maxsize=64)
def matrix(places: tuple[str, ...], channels: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Shares of channels at `places` ("" when unknown) in stereo (2) or 5.1 (6): shape (channels, len(places))."""
    if not any(places):
        places = _USUAL.get(len(places), ("FL", "FR", *places[2:]))
    folded = np.zeros((6, len(places)))
    for number, place in enumerate(places):
        share = _FOLDED.get(place, np.zeros(6))
        # Rear channels beside those of the sides are the weaker half of the surround.
        folded[:, number] = share * _DOWN if place in {"BL", "BR"} and "SL" in places else share
    if channels != _STEREO:
        return folded
    stereo = _BS_775 @ folded
    if not folded[:2].any():
        # A mono track sounds on both sides as loud as it is.
        stereo += (1 - _DOWN) * folded[2]
    return stereo


class Mixer:
    """Turns decoded frames into blocks of stereo or 5.1 at one sample rate."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        """Give out samples at `sample_rate` a second; a source that changes its rate on the way is resampled to it."""
        self._rate = sample_rate
        self._channels = channels
        self._resampler: av.AudioResampler | None = None
        self._from = sample_rate

    def convert(self, frame: AudioFrame) -> Samples:
        """The frame's samples, mixed."""
        places = positions(frame)
        mixed = _mixed(planar(frame), matrix(places, self._channels))
        if frame.sample_rate == self._rate:
            return mixed
        if self._resampler is None or self._from != frame.sample_rate:
            layout = LAYOUTS[self._channels]
            self._resampler = av.AudioResampler(format="fltp", layout=layout, rate=self._rate)
            self._from = frame.sample_rate
        block = av.AudioFrame.from_ndarray(mixed, format="fltp", layout=LAYOUTS[self._channels])
        block.sample_rate = frame.sample_rate
        blocks = [block.to_ndarray() for block in self._resampler.resample(block)]
        return np.concatenate([np.zeros((self._channels, 0), np.float32), *blocks], axis=1)


def planar(frame: AudioFrame) -> Samples:
    """The frame's channels as rows of floats.

    PyAV's own `to_ndarray` reads one plane too many, from anywhere in memory, where there are eight or more.
    """
    channels = len(positions(frame))
    kind = np.dtype(_KINDS[frame.format.name.removesuffix("p")])
    if frame.format.is_planar:
        rows = [np.frombuffer(memoryview(plane), kind, frame.samples) for plane in frame.planes[:channels]]
        data: np.ndarray[Any, np.dtype[Any]] = np.stack(rows)
    else:
        data = np.frombuffer(memoryview(frame.planes[0]), kind, frame.samples * channels).reshape(-1, channels).T
    if data.dtype == np.uint8:
        data = data.astype(np.float32) / 128 - 1
    elif data.dtype.kind == "i":
        data = data.astype(np.float32) / -float(np.iinfo(data.dtype).min)
    return data.astype(np.float32, copy=False)


def _mixed(samples: Samples, shares: np.ndarray[Any, np.dtype[np.float64]]) -> Samples:
    # One product after another: a matrix product may round the same sample differently at another place in a block.
    mixed = np.zeros((shares.shape[0], samples.shape[1]), np.float32)
    for row, column in np.argwhere(shares):
        weight = np.float32(shares[row, column])
        mixed[row] += samples[column] if weight == 1 else samples[column] * weight
    return mixed
