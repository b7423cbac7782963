from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from ottserver.transcode.pcm import Pcm
from ottserver.transcode.plan import grid_of
from ottserver.transcode.video import video_segments
from tests.sources.make import made
from tests.sources.picture import look_at
from tests.sources.specs import Options, Sound, Source
from tests.sources.verify import plan_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ottserver.transcode.models import EncodingPlan

SMALL: Options = (("preset", "ultrafast"), ("g", "20"), ("bf", "2"), ("sc_threshold", "0"), ("crf", "30"))
PART = Source(
    "part.ts", rate=Fraction(10), seconds=Fraction(12), size=(160, 90), options=SMALL,
    sounds=(Sound("ac3", 32000, options=(("b", "32k"),), steady=True),),
)  # fmt: skip
HOURS, MINUTE = 2, 60
OPENING = 20 << 20
"""Bytes that FFmpeg may read to find out what is in a file, as often as it is opened for one segment."""
BAD = range(60 * MINUTE, 63 * MINUTE)
"""Seconds that are no more than bytes."""


def looped(folder: Path) -> Path:
    """Two hours: the part's packets, over and over."""
    with av.open(str(made(PART))) as source:
        streams = list(source.streams)
        found = [(packet, packet.pts, packet.dts) for packet in source.demux() if packet.size]
        path = folder / "long.ts"
        with av.open(str(path), "w", format="mpegts") as out:
            targets = {stream.index: out.add_stream_from_template(stream) for stream in streams}
            sources: dict[int, Any] = {id(packet): targets[packet.stream_index] for packet, _, _ in found}
            for loop in range(HOURS * 3600 // int(PART.seconds)):
                for packet, pts, dts in found:
                    shift = round(loop * PART.seconds / packet.time_base)
                    packet.stream = sources[id(packet)]
                    packet.pts, packet.dts = (pts or 0) + shift, (dts or 0) + shift
                    out.mux(packet)
    return path


@pytest.fixture(scope="module", params=["noise", pytest.param("zeros", marks=pytest.mark.slow)])
def long_film(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = looped(tmp_path_factory.mktemp("long"))
    data = bytearray(path.read_bytes())
    start, end = (len(data) * second // (HOURS * 3600) for second in (BAD.start, BAD.stop))
    data[start:end] = random.Random(1).randbytes(end - start) if request.param == "noise" else bytes(end - start)
    path.write_bytes(data)
    yield path
    path.unlink()


def bytes_read() -> int:
    """What this process has read so far, files in memory too."""
    return int(Path("/proc/self/io").read_text().split()[1])


def shown(path: Path, plan: EncodingPlan, second: int) -> tuple[set[int | None], int]:
    """The numbers in the segment of a second of the film, and the bytes that were read for it."""
    index = next(i for i, start in enumerate(grid_of(plan).starts) if start >= second * PART.rate)
    before = bytes_read()
    (made_,) = video_segments(path, plan, plan.rungs[:1], index, threads=1)
    read = bytes_read() - before
    target = path.with_suffix(".mp4")
    target.write_bytes(made_.init + made_.media)
    with av.open(str(target)) as container:
        return {look_at(frame).number for frame in container.decode(video=0)}, read


def test_segment_in_minutes_of_damage_holds_the_last_picture_and_reads_little(long_film: Path) -> None:
    plan = plan_for(long_film)
    damaged = long_film.stat().st_size * len(BAD) // (HOURS * 3600)
    frames = int(PART.seconds * PART.rate)
    for second in (BAD.start + 4, BAD.start + 90, BAD.stop - 6):
        numbers, read = shown(long_film, plan, second)
        (number,) = numbers
        # A part ends and another begins where the damage does, give or take a second and a half.
        assert number is not None
        assert (number + 15) % frames < 30
        assert read < OPENING + 6 * damaged
        before = bytes_read()
        samples = Pcm(long_film, plan, plan.tracks[0]).read(second * 32000, (second + 2) * 32000)
        assert bytes_read() - before < OPENING + 6 * damaged
        assert np.abs(samples).max() == 0
    for second in (BAD.start - 30, BAD.stop + 30, HOURS * 3600 - 30):
        numbers, read = shown(long_film, plan, second)
        assert len(numbers) == 20
        assert None not in numbers
        assert read < OPENING
