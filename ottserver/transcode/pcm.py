"""Samples, stereo or 5.1, of a source's audio track, always the same ones for the same place. Children only.

Positions are samples counted from the film's first picture; what the source does not have is silence.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, gcd
from typing import TYPE_CHECKING

import av
import numpy as np

from ottserver.backends.ffmpeg.sourcefile import open_source, seek
from ottserver.transcode.downmix import LAYOUTS, Mixer
from ottserver.transcode.grid import nearest
from ottserver.transcode.heard import faded, whole_frames
from ottserver.transcode.landing import landed
from ottserver.transcode.placing import placed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.audio.frame import AudioFrame
    from av.container import InputContainer

    from ottserver.transcode.downmix import Samples
    from ottserver.transcode.models import EncodingPlan, Track
    from ottserver.transcode.placing import Placed

_WARM_UP_SECONDS = Fraction(3, 10)
# Decoders need what came before: overlap (AAC), bit reservoir (MP3), preskip (Opus).
_BACK_OFF_SECONDS = (0, 1, 3, 10, 30, 90)
_BEYOND = 4
# So many blocks in a row tell that the end has come: the time of a single one may be damaged.
_RESAMPLER_REACH = 2048
# Input samples on either side that a resampled sample may depend on.


class Pcm:
    """The samples of one track."""

    def __init__(self, path: Path, plan: EncodingPlan, track: Track) -> None:
        """Nothing is opened yet."""
        self._path = path
        self._track = track
        stream = {stream.index: stream for stream in plan.report.audio}[track.stream]
        self._time_base = Fraction(stream.time_base)
        self._origin = plan.report.video.origin * Fraction(plan.report.video.time_base)
        self._begin = stream.start * self._time_base - self._origin

    def read(self, start: int, end: int) -> Samples:
        """Samples `start` up to `end` at the track's own rate, shape (channels, end - start), full scale is 1.0.

        Raises `av.error.FFmpegError` or `OSError` when the file cannot be read.
        """
        source, target = self._track.source_rate, self._track.sample_rate
        if source == target:
            return self._source(start, end)
        # A resampler started on a whole number of its periods gives the same samples wherever it starts.
        period = source // gcd(source, target)
        first = (start * source // target - _RESAMPLER_REACH) // period * period
        last = ceil(Fraction(end * source, target)) + _RESAMPLER_REACH
        layout = LAYOUTS[self._track.channels]
        resampler = av.AudioResampler(format="fltp", layout=layout, rate=target)
        frame = av.AudioFrame.from_ndarray(self._source(first, last), format="fltp", layout=layout)
        frame.sample_rate = source
        blocks = [block.to_ndarray() for block in (*resampler.resample(frame), *resampler.resample(None))]
        skip = start - first * target // source
        return np.concatenate(blocks, axis=1).astype(np.float32, copy=False)[:, skip : skip + end - start]

    def _source(self, start: int, end: int) -> Samples:
        """The same at the source's rate."""
        samples = np.zeros((self._track.channels, end - start), np.float32)
        beyond = 0
        for position, block in faded(self._from(start), self._track.source_rate):
            beyond = beyond + 1 if position >= end else 0
            if beyond > _BEYOND:
                break
            left, right = max(position, start), min(position + block.shape[1], end)
            if left < right:
                samples[:, left - start : right - start] = block[:, left - position : right - position]
        return samples

    def _from(self, start: int) -> Iterator[Placed]:
        """Decoded blocks with their positions, from at or before `start` (where the source has that) to the end."""
        wanted = Fraction(start, self._track.source_rate) - _WARM_UP_SECONDS
        room = wanted - self._begin
        return landed(lambda seconds: self._attempt(wanted, seconds), _BACK_OFF_SECONDS, room, self._whole)

    def _whole(self) -> Iterator[Placed]:
        with open_source(self._path) as container:
            yield from self._blocks(container)

    def _attempt(self, wanted: Fraction, seconds: float | Fraction) -> Iterator[Placed]:
        """The blocks from some seconds before those wanted, or none where the first of them comes too late."""
        with open_source(self._path) as container:
            stream = container.streams[self._track.stream]
            target = int((wanted + self._origin) / self._time_base)
            try:
                seek(self._path, container, stream, target, back=int(Fraction(seconds) / self._time_base))
            except av.error.PermissionError:
                return
            blocks = self._blocks(container)
            head = next(blocks, None)
            if head is not None and head[0] <= wanted * self._track.source_rate:
                yield head
                yield from blocks

    def _blocks(self, container: InputContainer) -> Iterator[Placed]:
        rate = self._track.source_rate
        begin = nearest(self._begin * rate)
        rounding = ceil(self._time_base * rate) + 2
        return placed(self._stamped(container), begin=begin, rounding=rounding)

    def _stamped(self, container: InputContainer) -> Iterator[tuple[int | None, Samples]]:
        rate = self._track.source_rate
        mixer = Mixer(rate, self._track.channels)
        for frame in whole_frames(container, container.streams[self._track.stream]):
            yield self._stamp(frame), mixer.convert(frame)

    def _stamp(self, frame: AudioFrame) -> int | None:
        if frame.pts is None or frame.time_base is None:
            return None
        return nearest((frame.pts * frame.time_base - self._origin) * self._track.source_rate)
