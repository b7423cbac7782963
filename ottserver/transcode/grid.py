"""The grid of segments: integer frame numbers and sample counts, exact for every rate.

A segment of D seconds has round(D x rate) frames, so every boundary is a whole frame; audio boundaries are the nearest
whole AAC frames of 1024 samples. The sequence is fixed by the film's length and rate alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import floor

AAC_FRAME = 1024
"""Samples in one AAC frame (ISO/IEC 14496-3)."""

_MIN_TIMESCALE = 10_000
# libavformat doubles coarser timescales until they pass 10000, and then what is in the file is not what is announced.


def nearest(value: Fraction) -> int:
    """The nearest integer, halves upwards."""
    return floor(value + Fraction(1, 2))


@dataclass(frozen=True)
class Grid:
    """Segments of a film of `frames` frames at `rate` frames a second."""

    rate: Fraction
    frames: int
    segment_seconds: tuple[float, ...]
    cuts: tuple[int, ...] | None = None
    """Where given, be it none: first frames of all segments but the first, as the source's own key frames want it."""

    @property
    def timescale(self) -> int:
        """Ticks a second of the video renditions: a frame is a whole number of them."""
        return self.rate.numerator * self._scale

    @property
    def frame_ticks(self) -> int:
        """Ticks of one frame."""
        return self.rate.denominator * self._scale

    @property
    def _scale(self) -> int:
        return 1 if self.rate.numerator >= _MIN_TIMESCALE else 1000

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """First frame of every segment and, last, the number of frames.

        A rest shorter than half a segment is added to the last one: a segment of a few frames would have to declare a
        bit rate far above that of all others.
        """
        if self.cuts is not None:
            return (0, *self.cuts, self.frames)
        lengths = [max(1, nearest(Fraction(seconds) * self.rate)) for seconds in self.segment_seconds]
        starts, length = [0], lengths[0]
        for index in range(self.frames):
            length = lengths[min(index, len(lengths) - 1)]
            if starts[-1] + length >= self.frames:
                break
            starts.append(starts[-1] + length)
        if len(starts) > 1 and (self.frames - starts[-1]) * 2 < length:
            starts.pop()
        return (*starts, self.frames)

    @property
    def segments(self) -> int:
        """How many segments there are."""
        return len(self.starts) - 1

    def video_boundaries(self) -> tuple[int, ...]:
        """Start of every segment and the film's end, in ticks of `timescale`."""
        return tuple(start * self.frame_ticks for start in self.starts)

    def audio_boundaries(self, sample_rate: int, phase: int = 0) -> tuple[int, ...]:
        """The same in samples: `phase` and whole AAC frames, at most half of one away from the picture's boundary.

        The first is `phase` itself, which is less than a frame: nothing begins before the film.
        """
        per_frame = Fraction(sample_rate) / self.rate / AAC_FRAME
        bounds = [max(0, nearest(start * per_frame - Fraction(phase, AAC_FRAME))) for start in self.starts]
        # A film shorter than one AAC frame still has one.
        bounds[-1] = max(bounds[-1], bounds[-2] + 1)
        return tuple(phase + bound * AAC_FRAME for bound in bounds)

    def frame_at(self, ticks: int, origin: int, time_base: Fraction) -> int:
        """Frame number that a source timestamp falls on, counted from `origin`; negative before it."""
        return nearest((ticks - origin) * time_base * self.rate)

    def ticks_of(self, frame: int, origin: int, time_base: Fraction) -> int:
        """The last source timestamp not after the start of a frame."""
        return origin + floor(frame / (time_base * self.rate))
