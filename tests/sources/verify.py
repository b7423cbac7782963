"""Makes every segment of a source by itself, in any order, and holds the whole to what the source's maker intended."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import av
import numpy as np

from ottserver.ingest.probe import probe
from ottserver.transcode.audio import audio_init, audio_segments
from ottserver.transcode.models import EncoderSettings, LadderStep
from ottserver.transcode.plan import grid_of, make_plan, present
from ottserver.transcode.soundslice import copied_sound
from ottserver.transcode.video import video_init, video_segments
from tests.sources.make import LOUD
from tests.sources.picture import CORNERS, PATCHES, look_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ottserver.media import Rendition
    from ottserver.transcode.models import EncodingPlan, InitSegment
    from tests.sources.picture import Rgb, Seen
    from tests.sources.specs import Sound, Source

SETTINGS = EncoderSettings(
    segment_seconds=(2.0,), ladder=(LadderStep("v480", 320, 180, 2_000_000, 16),), preset="ultrafast"
)
SYNC_SECONDS = Fraction(20, 1000)
_BLIND = 6
_AMISS = 0.035
# Nine steps of 255: coding loss and subsampled chroma; a wrong matrix or range is twice that and more.


@dataclass(frozen=True)
class Stitched:
    """A rendition put together, and the base decode time and total duration of each of its segments."""

    rendition: Rendition
    path: Path
    times: tuple[tuple[int, int], ...]


def plan_for(path: Path) -> EncodingPlan:
    """The plan of a probed file, with one small rung; its own pictures are left to the tests of passthrough."""
    report = probe(path)
    return make_plan(replace(report, video=replace(report.video, closed=False)), SETTINGS)


def stitched(path: Path, plan: EncodingPlan, folder: Path, *, seed: int = 1) -> list[Stitched]:
    """The lowest rung and all tracks, each segment made by a job of its own, all in random order."""
    rung = plan.rungs[0]
    inits = {init.rendition: init for init in (video_init(plan, rung), *(audio_init(track) for track in plan.tracks))}
    jobs = [(name, index) for name in inits for index in range(grid_of(plan).segments)]
    random.Random(seed).shuffle(jobs)
    parts = {job: _made(path, plan, *job, inits) for job in jobs}
    presented = present(plan, identity="0" * 32, source_id="0", inits={**inits, **_unmade(plan, inits)})
    whole = []
    for rendition in presented.renditions:
        if rendition.name not in inits:
            continue
        media = [parts[rendition.name, index] for index in range(rendition.segments)]
        target = folder / f"{rendition.name}.mp4"
        target.write_bytes(inits[rendition.name].data + b"".join(media))
        whole.append(Stitched(rendition, target, tuple(_times(one) for one in media)))
    return whole


def _unmade(plan: EncodingPlan, inits: dict[str, InitSegment]) -> dict[str, InitSegment]:
    return {rung.name: inits[plan.rungs[0].name] for rung in plan.rungs[1:]}


def _made(path: Path, plan: EncodingPlan, name: str, index: int, inits: dict[str, InitSegment]) -> bytes:
    if name == plan.rungs[0].name:
        (one,) = video_segments(path, plan, plan.rungs[:1], index, threads=1)
        init, media = one.init, one.media
    else:
        track = plan.track(name)
        if track.copied:
            init, media = copied_sound(path, plan, track, index)
        else:
            ((_, init, media),) = audio_segments(path, plan, track, index, 1)
    assert init == inits[name].data
    return media


def _times(segment: bytes) -> tuple[int, int]:
    """Base decode time and sum of the durations of a segment (ISO/IEC 14496-12 sections 8.8.7, 8.8.8, 8.8.12)."""
    at = segment.index(b"tfdt") + 4
    (base,) = struct.unpack_from(">q" if segment[at] else ">i", segment, at + 4)
    at = segment.index(b"tfhd") + 4
    flags, at = int.from_bytes(segment[at + 1 : at + 4]), at + 8
    at += 8 * bool(flags & 1) + 4 * bool(flags & 2)
    usual = struct.unpack_from(">I", segment, at)[0] if flags & 8 else 0
    assert segment.count(b"trun") == 1
    at = segment.index(b"trun") + 4
    flags, (count,) = int.from_bytes(segment[at + 1 : at + 4]), struct.unpack_from(">I", segment, at + 4)
    if not flags & 0x100:
        return base, count * usual
    at += 8 + 4 * bool(flags & 1) + 4 * bool(flags & 4)
    step = 4 * sum(bool(flags & bit) for bit in (0x100, 0x200, 0x400, 0x800))
    return base, sum(struct.unpack_from(">I", segment, at + number * step)[0] for number in range(count))


def hold_times(whole: Stitched) -> None:
    """Each segment begins where the manifest says and ends where the next begins."""
    ends = list(pairwise(whole.rendition.boundaries))
    assert [base for base, _ in whole.times] == [start for start, _ in ends]
    assert [base + length for base, length in whole.times] == [end for _, end in ends]


def seen_in(whole: Stitched, *, turned: int = 0, white: float = 1.0) -> list[Seen]:
    """What every frame shows; each must be stamped with its place, and tagged as BT.709 of limited range.

    `turned` and `white` are as `look_at` takes them.
    """
    looks = []
    with av.open(str(whole.path)) as container:
        stream = container.streams.video[0]
        ticks = Fraction(1, whole.rendition.timescale) / (stream.time_base or 1)
        frame_ticks = whole.rendition.timescale / Fraction(whole.rendition.frame_rate)
        for number, frame in enumerate(container.decode(stream)):
            assert frame.pts == number * frame_ticks * ticks
            assert (frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range) == (1, 1, 1, 1)
            looks.append(look_at(frame, turned=turned, white=white))
    return looks


def hold_pictures(source: Source, whole: Stitched, looks: Sequence[Seen]) -> None:
    """Every frame is the right one, upright, of the right shape and of the right colours."""
    expected = source.expected()
    numbers = [look.number for look in looks]
    wrong = [(place, *pair) for place, pair in enumerate(zip(numbers, expected, strict=False)) if pair[0] != pair[1]]
    if source.rate > source.expected_rate:
        # Every second picture lies between two places of the grid: containers that round decide where it goes.
        wrong = [one for one in wrong if one[1] is None or abs(one[1] - one[2]) > 1]
    assert (len(numbers), wrong) == (len(expected), []), (len(numbers), len(expected), wrong[:20])
    assert Fraction(whole.rendition.frame_rate) == source.expected_rate
    width, height = source.size[0] * source.aspect, Fraction(source.size[1])
    if source.turned % 2:
        width, height = height, width
    shape = width / height
    # Sides are whole and even.
    slack = Fraction(2) / min(whole.rendition.width, whole.rendition.height)
    assert abs(Fraction(whole.rendition.width, whole.rendition.height) / shape - 1) <= slack
    look = looks[len(looks) // 2]
    hold_colours(look.corners, source.displayed(CORNERS), grey=source.pixel_format.startswith("gray"))
    hold_colours(look.patches, source.displayed(PATCHES), grey=source.pixel_format.startswith("gray"))


def hold_colours(seen: Sequence[Rgb], wanted: Sequence[Rgb], *, grey: bool = False) -> None:
    """Patches have their colours; of a picture without colour, their luma."""
    for got, colour in zip(seen, wanted, strict=True):
        goal = (float(np.dot(colour, (0.299, 0.587, 0.114))),) * 3 if grey else colour
        assert max(abs(one - other) for one, other in zip(got, goal, strict=True)) < _AMISS, (seen, wanted)


def heard(whole: Stitched) -> np.ndarray:
    """The samples, shape (channels, n)."""
    with av.open(str(whole.path)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


def onsets(samples: np.ndarray, rate: int) -> list[float]:
    """Seconds at which a sound begins after silence."""
    loud = np.flatnonzero(np.abs(samples).max(axis=0) > LOUD / 3)
    if not loud.size:
        return []
    fresh = np.flatnonzero(np.diff(loud, prepend=-rate) > rate // 10)
    return [float(at) / rate for at in loud[fresh]]


def hold_sound(source: Source, sound: Sound, whole: Stitched, looks: Sequence[Seen]) -> None:
    """Each beep begins with its flash, nothing sounds between, and it is the right track's beep."""
    rate = whole.rendition.sample_rate
    samples = heard(whole)
    beginning = source.shown()[0][1]
    begins = sound.starts - source.time(beginning)
    ends = min((sound.ends or source.seconds) - source.time(beginning), len(looks) / source.expected_rate)
    flashes = [
        number / source.expected_rate
        for number, (look, before) in enumerate(zip(looks, [None, *looks], strict=False))
        if look.flash and before is not None and not before.flash
    ]
    wanted = [flash for flash in flashes if begins <= flash < ends - Fraction(1, 10)]
    got = [onset for onset in onsets(samples, rate) if onset < ends - Fraction(1, 10)]
    slack = SYNC_SECONDS
    if source.times or source.expected_rate < source.rate:
        # A picture of a variable rate is up to half a frame from its own time.
        slack += 1 / source.expected_rate / 2
    if source.first < 0:
        # A beep that begins before the film is cut in two.
        got = [onset for onset in got if onset > Fraction(1, 20)]
    if begins > 0:
        got = [onset for onset in got if onset > begins + Fraction(1, 20)]
        wanted = [flash for flash in wanted if flash > begins + Fraction(1, 20)]
    assert len(got) == len(wanted), (got, [float(flash) for flash in wanted])
    for onset, flash in zip(got, wanted, strict=True):
        assert abs(onset - flash) <= slack, (got, [float(flash) for flash in wanted])
    for onset in got:
        beep = samples[0, round((onset + 0.02) * rate) : round((onset + 0.1) * rate)]
        strongest = np.abs(np.fft.rfft(beep * np.hanning(beep.size))).argmax() * rate / beep.size
        assert abs(strongest - sound.hertz) < 2 * rate / beep.size
        assert np.abs(beep).max() > LOUD / 2
    quiet = samples[:, round(float(ends) * rate) + rate // 5 :]
    assert not quiet.size or np.abs(quiet).max() < LOUD / 20
