"""Sources as values: what a made film is like, and what of it a player should see and hear, and when."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, Literal

import numpy as np

from tests.sources.light import displayed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.sources.picture import Rgb

Options = tuple[tuple[str, str], ...]

X264: Options = (("preset", "ultrafast"), ("bf", "2"), ("g", "40"), ("sc_threshold", "0"), ("crf", "18"))
FLASH_SECONDS = Fraction(1, 8)
_FIRST_FLASH = Fraction(1, 2)


@dataclass(frozen=True)
class Sound:
    """One audio track: a beep of `hertz` with every flash, from `starts` to `ends` seconds, and silence between."""

    codec: str = "aac"
    rate: int = 48000
    layout: str = "stereo"
    language: str = ""
    title: str = ""
    hertz: int = 1000
    starts: Fraction = Fraction(0)
    ends: Fraction | None = None
    options: Options = ()
    steady: bool = False
    """Whether it sounds all the time, not with the flashes only."""


@dataclass(frozen=True)
class Source:
    """A film to be made. Its pictures are numbered from 0, and shown at `times` or at a steady `rate`."""

    name: str
    codec: str = "libx264"
    rate: Fraction = Fraction(25)
    seconds: Fraction = Fraction(4)
    size: tuple[int, int] = (320, 180)
    pixel_format: str = "yuv420p"
    options: Options = X264
    first: Fraction = Fraction(0)
    """Seconds of the container's clock at which the first picture is stamped; what lies before 0 is not shown."""
    times: tuple[int, ...] = ()
    """Milliseconds after `first`, for a variable rate."""
    grid_rate: Fraction | None = None
    """The constant rate that is expected, where it is not the source's own."""
    matrix: int = 6
    """Code point of ITU-T H.273 by which pictures are coded; written down when it is in `tags`."""
    full: bool = False
    tags: tuple[int, int, int] | None = None
    """Primaries, transfer and matrix as the file states them; nothing: left to be guessed."""
    aspect: Fraction = Fraction(1)
    turned: int = 0
    """Clockwise quarter turns that a player must make."""
    interlaced: bool = False
    sounds: tuple[Sound, ...] = ()
    format: str | None = None
    muxer: Options = ()
    subtitles: str = ""
    chapters: int = 0
    cover: Literal["", "art", "attachment", "track"] = ""
    """A still picture larger than the film: marked as cover art, attached as a file, or a plain track of one frame."""
    mend: Literal["", "no cues", "no idx1"] = ""
    """What is done to the finished file."""
    fast: bool = False
    """Whether it belongs to the subset that runs each time."""

    @property
    def frames(self) -> int:
        """Pictures in the file."""
        return len(self.times) or round(self.seconds * self.rate)

    @property
    def expected_rate(self) -> Fraction:
        """Frames a second of the grid."""
        return self.grid_rate or self.rate

    def time(self, number: int) -> Fraction:
        """Seconds from the first picture to the given one."""
        return Fraction(self.times[number], 1000) if self.times else number / self.rate

    def flashes(self) -> list[int]:
        """Pictures with which a flash and a beep begin: one a second, from half a second on."""
        found: list[int] = []
        due = _FIRST_FLASH
        for number in range(self.frames):
            if self.time(number) >= due:
                found.append(number)
                due += floor(self.time(number) - due) + 1
        return found

    def lit(self, number: int) -> bool:
        """Whether the picture flashes."""
        return any(0 <= self.time(number) - self.time(start) < FLASH_SECONDS for start in self.flashes())

    def shown(self) -> list[tuple[Fraction, int]]:
        """What is shown: seconds from the first picture shown, and the number on it."""
        hidden = [number for number in range(self.frames) if self.first + self.time(number) < 0]
        start = len(hidden)
        return [(self.time(number) - self.time(start), number) for number in range(start, self.frames)]

    def displayed(self, colours: Sequence[Rgb]) -> list[Rgb]:
        """What is to be seen of the drawn colours."""
        seen = displayed(np.array(colours), *(self.tags or (1, 1))[:2])
        return [(red, green, blue) for red, green, blue in seen.tolist()]

    def expected(self) -> list[int]:
        """The number that each frame of the grid must show: the last picture at or before it."""
        rate, half = self.expected_rate, Fraction(1, 2)
        places = [(floor(time * rate + half), number) for time, number in self.shown()]
        grid: list[int] = []
        for (place, number), (following, _) in zip(places, [*places[1:], (places[-1][0] + 1, 0)], strict=True):
            grid += [number] * (following - place)
        return grid
