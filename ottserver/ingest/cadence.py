"""The constant frame rate that a film gets, from the timestamps of a stretch of it. Pure."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from statistics import median_low

STANDARD_RATES = tuple(
    Fraction(rate)
    for rate in (
        "10", "12", "12.5", "15000/1001", "15", "24000/1001", "24", "25", "30000/1001", "30",
        "48000/1001", "48", "50", "60000/1001", "60", "100", "120000/1001", "120", "240000/1001", "240",
    )
)  # fmt: skip
_SAME = Fraction(3, 10_000)
# 24 and 24000/1001 are 1 in 1000 apart; containers that count milliseconds are off by far less.
_NEAR = Fraction(2, 100)
_WAVERING = Fraction(15, 100)
# A camera's usual step, give or take; what is further off is a pause or a burst.
_FASTEST, _SLOWEST = 60, 10
_FALLBACK = Fraction(25)


def rational(value: Fraction) -> str:
    """The value as reports write it, such as "24000/1001"."""
    return f"{value.numerator}/{value.denominator}"


def snapped(rate: Fraction, tolerance: Fraction) -> Fraction | None:
    """The nearest standard rate when it is within the share `tolerance`, else nothing."""
    best = min(STANDARD_RATES, key=lambda standard: abs(standard - rate))
    return best if abs(best - rate) <= tolerance * best else None


def grid_rate(stamps: list[int], time_base: Fraction, declared: Fraction | None) -> Fraction:
    """Frames a second of the output grid, between 10 and 60.

    `stamps` are the timestamps of some consecutive frames, sorted, in ticks of `time_base` seconds; `declared` is what
    the container says. A steady film keeps its rate, snapped to a standard one. A film whose frames come unevenly gets
    the rate of its usual step, so that no frame is lost where it runs at full speed. Very fast ones are halved, very
    slow ones doubled.
    """
    rate = _measured(stamps, time_base, declared)
    while rate > _FASTEST:
        rate /= 2
    while rate < _SLOWEST:
        rate *= 2
    return rate


def _measured(stamps: list[int], time_base: Fraction, declared: Fraction | None) -> Fraction:
    steps = [after - before for before, after in pairwise(stamps) if after > before]
    if not steps:
        return _tidy(declared) if declared else _FALLBACK
    average = len(steps) / ((stamps[-1] - stamps[0]) * time_base)
    usual: int = median_low(steps)
    # A steady film's steps differ by rounding to its ticks alone.
    steady = all(abs(step - usual) <= max(1, usual // 50) for step in steps)
    if steady and declared and abs(declared - average) <= average / 50:
        return _tidy(declared)
    if steady:
        # Over n steps the rounding of both ends is at most one tick.
        error = Fraction(1, max(1, stamps[-1] - stamps[0]))
        return snapped(average, max(_SAME, error)) or _tidy(average)
    near = [step for step in steps if abs(step - usual) <= max(Fraction(1), usual * _WAVERING)]
    typical = len(near) / (sum(near) * time_base)
    return snapped(typical, max(_NEAR, Fraction(1, usual))) or _tidy(typical)


def _tidy(rate: Fraction) -> Fraction:
    # Doubled first: a picture an hour, to the nearest 1001th, would be none.
    while rate < _SLOWEST:
        rate *= 2
    return snapped(rate, _SAME) or rate.limit_denominator(1001)
