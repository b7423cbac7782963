"""Keeps sound below full scale, as a pure function of place: the same gain for a sample wherever reading begins.

A look-ahead limiter whose memory is a window. Loudness is measured in blocks of 64 samples that lie on multiples of 64;
a block's gain is the least that any block near it needs, averaged over fewer blocks than were looked at, and in between
it runs straight. So the gain at a sample is never above what the sample needs: nothing can clip, and where nothing is
too loud nothing changes at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ottserver.transcode.downmix import Samples

CEILING = 10 ** (-1 / 20)
"""-1 dB, as AES TD1008 wants before a lossy encoder, which overshoots."""
BLOCK = 64
_EASED = 8
# Blocks on either side over which the gain is averaged: it changes within 11 ms at 48 kHz, before a peak and after it.
_HELD = _EASED + 1
REACH = (_EASED + _HELD + 2) * BLOCK
"""Samples on either side that a sample's gain may depend on; a multiple of `BLOCK`."""


def limited(samples: Samples) -> Samples:
    """The samples, shape (channels, n), without `REACH` of them at either end; all channels get the same gain.

    The first sample's place and n are multiples of `BLOCK`.
    """
    inner = samples[:, REACH:-REACH]
    blocks = np.abs(samples).reshape(samples.shape[0], -1, BLOCK)
    peaks = blocks.max(axis=(0, 2), initial=0.0).astype(np.float64)
    if peaks.max(initial=0.0) <= CEILING:
        return inner
    needed = CEILING / np.maximum(peaks, CEILING)
    held = np.lib.stride_tricks.sliding_window_view(needed, 2 * _HELD + 1).min(axis=1)
    # Summed one by one, so that rounding is the same everywhere.
    eased = sum(held[step : len(held) - 2 * _EASED + step] for step in range(2 * _EASED + 1)) / (2 * _EASED + 1)
    # `eased` begins 17 blocks in, two before `inner`: a block's gain holds in its middle.
    along = (np.arange(BLOCK) + 0.5) / BLOCK
    half = BLOCK // 2
    before, own, after = eased[1:-3, None], eased[2:-2, None], eased[3:-1, None]
    rising = before + (own - before) * (along[:half] + 0.5)
    falling = own + (after - own) * (along[half:] - 0.5)
    gain = np.concatenate([rising, falling], axis=1).reshape(-1).astype(np.float32)
    limited_: Samples = np.clip(inner * gain, -1.0, 1.0)
    return limited_
