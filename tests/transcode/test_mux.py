"""Segments from anywhere in a film of a day fit the init segment of its beginning."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from ottserver.transcode.audio import encoded, fragment
from ottserver.transcode.boxes import fragment as boxes
from ottserver.transcode.grid import AAC_FRAME, Grid
from ottserver.transcode.video import RungEncoder, black
from tests.transcode.stitching import plan_of

if TYPE_CHECKING:
    from ottserver.media import SourceReport

DAY = 24 * 3600
PICTURES = 3


@pytest.mark.parametrize("rate", ["24/1", "2731/100", "9999/401", "60000/1001", "120/1"])
def test_pictures_of_the_last_minute_fit_the_first_init_segment(rate: str, film_report: SourceReport) -> None:
    (rung, *_) = plan_of(film_report).rungs
    grid = Grid(Fraction(rate), round(DAY * Fraction(rate)), (2.0,))
    made = []
    for first in (0, grid.frames - PICTURES):
        encoder = RungEncoder(rung, grid, first, threads=1)
        for number in range(first, first + PICTURES):
            encoder.add(number, black(rung.width, rung.height))
        init, media, _ = encoder.finish()
        made.append(init)
        assert boxes(media).start == first * grid.frame_ticks
        with av.open(io.BytesIO(init + media), "r") as container:
            stamps = [frame.pts for frame in container.decode(video=0)]
        assert stamps == [number * grid.frame_ticks for number in range(first, first + PICTURES)]
    assert made[0] == made[1]


def test_sound_of_the_last_minute_fits_the_first_init_segment(film_report: SourceReport) -> None:
    (track,) = plan_of(film_report).tracks
    silence = np.zeros((track.channels, AAC_FRAME), np.float32)
    made = []
    for position in (0, DAY * track.sample_rate // AAC_FRAME * AAC_FRAME):
        init, media, _ = fragment(track, encoded(track, silence, position)[-1:])
        made.append(init)
        assert boxes(media).start == position
    assert made[0] == made[1]
