"""Audio segments: stereo AAC-LC in fragmented MP4. Children only.

Each segment is encoded afresh with what sounds before and after it, and only the packets inside it are kept: with 16
frames of pre-roll the seams are as good as those of an encoding in one piece.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np

from ottserver.transcode.codecs import aac_codecs
from ottserver.transcode.grid import AAC_FRAME
from ottserver.transcode.models import InitSegment
from ottserver.transcode.mux import Fragment
from ottserver.transcode.pcm import Pcm
from ottserver.transcode.plan import audio_bandwidth, grid_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.audio.stream import AudioStream

    from ottserver.transcode.downmix import Samples
    from ottserver.transcode.models import EncodingPlan, Track

PRE_ROLL = 16
"""AAC frames encoded before a segment's first and thrown away."""
_POST_ROLL = 1
_LESS = 0.85
_LEAST = 0.3


def audio_init(track: Track) -> InitSegment:
    """The track's init segment: it depends on the sample rate only."""
    init, _, extradata = _encode(track, np.zeros((2, 2 * AAC_FRAME), np.float32), -AAC_FRAME, (0, AAC_FRAME), 1.0)
    return InitSegment(track.name, aac_codecs(extradata), init)


def audio_segments(
    path: Path, plan: EncodingPlan, track: Track, first: int, count: int
) -> Iterator[tuple[int, bytes, bytes]]:
    """Segments `first` up to `first + count` of a track from one decoding: index, init segment, media segment.

    Raises `av.error.FFmpegError` or `OSError` when the source cannot be read at all.
    """
    bounds = grid_of(plan).audio_boundaries(track.sample_rate)
    base = bounds[first] - PRE_ROLL * AAC_FRAME
    samples = Pcm(path, plan, track).read(base, bounds[first + count] + _POST_ROLL * AAC_FRAME)
    np.clip(samples, -1.0, 1.0, out=samples)
    for index in range(first, first + count):
        start, end = bounds[index], bounds[index + 1]
        at = start - PRE_ROLL * AAC_FRAME
        part = samples[:, at - base : end + _POST_ROLL * AAC_FRAME - base]
        most = audio_bandwidth(track) * Fraction(end - start, track.sample_rate)
        share = 1.0
        init, media, _ = _encode(track, part, at, (start, end), share)
        while len(media) * 8 > most and share > _LEAST:
            share *= _LESS
            init, media, _ = _encode(track, part, at, (start, end), share)
        yield index, init, media


def _encode(
    track: Track, samples: Samples, position: int, span: tuple[int, int], share: float
) -> tuple[bytes, bytes, bytes]:
    """Init segment, media segment and configuration for the packets of `span`; `samples` begin at `position`."""
    time_base = Fraction(1, track.sample_rate)
    fragment = Fragment(track.sample_rate)
    stream: AudioStream = fragment.container.add_stream("aac", rate=track.sample_rate)
    stream.layout, stream.format, stream.time_base = "stereo", "fltp", time_base
    stream.bit_rate = round(track.bitrate * share)
    packets = []
    for offset in range(0, samples.shape[1], AAC_FRAME):
        block = np.ascontiguousarray(samples[:, offset : offset + AAC_FRAME])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = track.sample_rate, position + offset, time_base
        packets += stream.encode(frame)
    packets += stream.encode(None)
    kept = [packet for packet in packets if packet.pts is not None and span[0] <= packet.pts < span[1]]
    if len(kept) * AAC_FRAME != span[1] - span[0]:
        message = f"the audio encoder gave {len(kept)} frames for {(span[1] - span[0]) // AAC_FRAME}"
        raise RuntimeError(message)
    extradata = bytes(stream.codec_context.extradata or b"")
    for packet in kept:
        fragment.add(packet)
    return (*fragment.close(), extradata)
