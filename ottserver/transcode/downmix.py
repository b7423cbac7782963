"""Any channel layout to stereo, without state between blocks: the same wherever decoding begins. Children only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import numpy as np

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

Samples = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
"""Shape (2, n): left and right, full scale is 1.0."""

_STEREO = 2


class Stereo:
    """Mixes decoded frames down (5.1 by ITU-R BS.775's coefficients), or doubles mono, at one sample rate."""

    def __init__(self, sample_rate: int) -> None:
        """Give out samples at `sample_rate` a second; a source that changes its rate on the way is resampled to it."""
        self._rate = sample_rate
        self._shape: tuple[Any, ...] | None = None
        self._mixer: av.AudioResampler | None = None

    def convert(self, frame: AudioFrame) -> Samples:
        """The frame's samples in stereo."""
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._mixer is None or shape != self._shape:
            self._mixer, self._shape = self._mix(frame), shape
        frame.pts = None
        blocks = [block.to_ndarray() for block in self._mixer.resample(frame)]
        samples = np.concatenate(blocks, axis=1) if blocks else np.zeros((_STEREO, 0), np.float32)
        # A mono track sounds on both sides as loud as it is; a layout without a meaning gives its first two channels.
        both = np.repeat(samples, _STEREO, axis=0) if samples.shape[0] == 1 else samples[:_STEREO]
        return both.astype(np.float32, copy=False)

    def _mix(self, frame: AudioFrame) -> av.AudioResampler:
        known = frame.layout.nb_channels > 1 and "channels" not in frame.layout.name
        layout = "stereo" if known else frame.layout
        return av.AudioResampler(format="fltp", layout=layout, rate=self._rate)
