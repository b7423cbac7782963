"""From a source report to an encoding plan, and from the plan to the presentation that manifests announce."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from dataclasses import asdict
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from ottserver.media import Presentation, Rendition, SourceReport
from ottserver.transcode.encoders import SOFTWARE
from ottserver.transcode.grid import AAC_FRAME, Grid
from ottserver.transcode.ladder import ladder
from ottserver.transcode.models import ENCODER_VERSION, Copy, EncoderSettings, EncodingPlan, InitSegment, Rung, Track
from ottserver.transcode.passthrough import Passthrough, passthrough
from ottserver.transcode.tracks import tracks

if TYPE_CHECKING:
    from collections.abc import Mapping

_VBV_START = 0.9
# How full x264's decoder buffer is when a segment begins, all of which the segment may spend at once.
_AVERAGE_SHARE = 0.6
# Capped CRF takes about this share of its cap over a whole film; nothing is decided by it.
_AUDIO_PEAK = 1.25
_BYTES_PER_SAMPLE_ENTRY = 16
_BYTES_PER_FRAGMENT = 256


def make_plan(
    report: SourceReport, settings: EncoderSettings, *, copy: bool = True, encoder: str = SOFTWARE
) -> EncodingPlan:
    """The rungs, tracks and segment lengths of a source; without `copy`, all of it is encoded."""
    encoded = ladder(report.video, settings.ladder, settings.preset)
    own = (
        passthrough(report.video, encoded, settings.ladder, settings.segment_seconds) if copy else Passthrough(encoded)
    )
    return EncodingPlan(
        report=report,
        segment_seconds=settings.segment_seconds,
        rungs=own.rungs,
        tracks=tracks(report.audio, settings, copy=copy),
        cuts=own.cuts,
        copies=own.copies,
        encoder=encoder,
    )


@lru_cache(maxsize=64)
def _grid(rate: str, frames: int, segment_seconds: tuple[float, ...], cuts: tuple[int, ...] | None) -> Grid:
    return Grid(Fraction(rate), frames, segment_seconds, cuts)


def grid_of(plan: EncodingPlan) -> Grid:
    """The plan's grid of segments."""
    return _grid(plan.report.video.frame_rate, plan.report.video.frames, plan.segment_seconds, plan.cuts)


def audio_boundaries(plan: EncodingPlan, track: Track) -> tuple[int, ...]:
    """Start of every segment of the track and its end, in samples from the film's first picture."""
    return grid_of(plan).audio_boundaries(track.sample_rate, track.phase)


def leads(plan: EncodingPlan) -> tuple[int, ...]:
    """For every segment how many pictures are decoded before its first one; nothing where no key frames are known."""
    keys = plan.report.video.keys
    if not keys:
        return ()
    return tuple(start - keys[max(0, bisect_right(keys, start) - 1)] for start in grid_of(plan).starts[:-1])


def copy_grid(plan: EncodingPlan, copy: Copy) -> Grid:
    """The grid of a copy's segments."""
    return _grid(plan.report.video.frame_rate, plan.report.video.frames, plan.segment_seconds, copy.cuts)


def presentation_id(plan: EncodingPlan, sha256: str) -> str:
    """32 hexadecimal digits that change with whatever changes the bytes of any segment, and with nothing else."""
    fields = {
        "encoder": ENCODER_VERSION if plan.encoder == SOFTWARE else f"{plan.encoder} {ENCODER_VERSION}",
        "source": sha256,
        "video": asdict(plan.report.video),
        "audio": [asdict(stream) for stream in plan.report.audio],
        "segment_seconds": plan.segment_seconds,
        "cuts": plan.cuts,
        "copies": [asdict(copy) for copy in plan.copies],
        "rungs": [asdict(rung) for rung in plan.rungs],
        "tracks": [asdict(track) for track in plan.tracks],
    }
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:32]


def digest(init: bytes) -> str:
    """SHA-256 of an init segment: a media segment fits it only when its own encoder wrote the same one."""
    return hashlib.sha256(init).hexdigest()


def present(plan: EncodingPlan, *, identity: str, source_id: str, inits: Mapping[str, InitSegment]) -> Presentation:
    """What manifests announce; `inits` has the init segment of every rendition by name."""
    grid = grid_of(plan)
    return Presentation(
        id=identity,
        source_id=source_id,
        duration_seconds=float(plan.report.video.frames / grid.rate),
        renditions=(
            *(_video(rung, grid, inits[rung.name].codecs) for rung in plan.rungs),
            *(_copied(copy, copy_grid(plan, copy)) for copy in plan.copies),
            *(_audio(track, grid, inits[track.name].codecs) for track in plan.tracks),
        ),
    )


def video_bandwidth(rung: Rung, grid: Grid) -> int:
    """Bits a second that no segment of the rung exceeds, boxes included (RFC 8216 section 4.3.4.2)."""
    shortest = min(end - start for start, end in pairwise(grid.starts)) / grid.rate
    boxes = 8 * (_BYTES_PER_SAMPLE_ENTRY * grid.rate + _BYTES_PER_FRAGMENT / shortest)
    return round(rung.maxrate + _VBV_START * rung.bufsize / float(shortest) + float(boxes))


def audio_bandwidth(track: Track) -> int:
    """Bits a second that no segment of the track exceeds, boxes included."""
    peak = track.peak if track.copied else _AUDIO_PEAK * track.bitrate
    return round(peak + 8 * _BYTES_PER_SAMPLE_ENTRY * track.sample_rate / AAC_FRAME + 2048)


def _video(rung: Rung, grid: Grid, codecs: str) -> Rendition:
    return Rendition(
        name=rung.name,
        kind="video",
        codecs=codecs,
        bandwidth=video_bandwidth(rung, grid),
        average_bandwidth=round(rung.maxrate * _AVERAGE_SHARE),
        timescale=grid.timescale,
        boundaries=grid.video_boundaries(),
        width=rung.width,
        height=rung.height,
        height_class=rung.height_class,
        frame_rate=f"{grid.rate.numerator}/{grid.rate.denominator}",
        default=False,
    )


def _copied(copy: Copy, grid: Grid) -> Rendition:
    return Rendition(
        name=copy.name,
        kind="video",
        codecs=copy.codecs,
        bandwidth=copy.bandwidth,
        average_bandwidth=copy.average_bandwidth,
        timescale=grid.timescale,
        boundaries=grid.video_boundaries(),
        width=copy.width,
        height=copy.height,
        height_class=copy.height_class,
        frame_rate=f"{grid.rate.numerator}/{grid.rate.denominator}",
        group=copy.group,
        copied=True,
    )


def _audio(track: Track, grid: Grid, codecs: str) -> Rendition:
    return Rendition(
        name=track.name,
        kind="audio",
        codecs=codecs,
        bandwidth=audio_bandwidth(track),
        average_bandwidth=track.bitrate,
        timescale=track.sample_rate,
        boundaries=grid.audio_boundaries(track.sample_rate, track.phase),
        sample_rate=track.sample_rate,
        channels=track.channels,
        language=track.language,
        label=track.label,
        default=track.default,
        purpose=track.purpose,
        beside=track.beside,
        copied=track.copied,
    )
