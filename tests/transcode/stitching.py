"""Puts independently made segments together, as a player would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ottserver.transcode.audio import audio_init, audio_segments
from ottserver.transcode.models import EncoderSettings, LadderStep
from ottserver.transcode.plan import grid_of, make_plan
from ottserver.transcode.video import video_init, video_segments

if TYPE_CHECKING:
    from pathlib import Path

    from ottserver.media import SourceReport
    from ottserver.transcode.models import EncodingPlan

LADDER = (
    LadderStep("v480", 854, 480, 800_000, 23),
    LadderStep("v720", 1280, 720, 2_500_000, 23),
    LadderStep("v1080", 1920, 1080, 5_000_000, 23),
    LadderStep("v2160", 3840, 2160, 15_000_000, 23),
)
SETTINGS = EncoderSettings(segment_seconds=(2.0,), ladder=LADDER)
SMALL = EncoderSettings(segment_seconds=(2.0,), ladder=(LadderStep("v480", 160, 90, 200_000, 28),), preset="ultrafast")
"""One small rung: for tests in which only numbers and times matter."""


def plan_of(report: SourceReport, settings: EncoderSettings = SMALL) -> EncodingPlan:
    """The plan for a probed source."""
    return make_plan(report, settings)


def stitched_video(source: Path, plan: EncodingPlan, target: Path, rung: int = 0) -> Path:
    """The rung's init segment and all its segments, made last first, as one file."""
    chosen = plan.rungs[rung]
    parts = {}
    init = video_init(plan, chosen)
    for index in reversed(range(grid_of(plan).segments)):
        for made in video_segments(source, plan, [chosen], index, threads=1):
            assert made.init == init.data
            parts[index] = made.media
    target.write_bytes(init.data + b"".join(parts[index] for index in sorted(parts)))
    return target


def stitched_audio(source: Path, plan: EncodingPlan, target: Path, track: int = 0) -> Path:
    """The track's init segment and all its segments, made one by one and last first, as one file."""
    chosen = plan.tracks[track]
    parts = {}
    init = audio_init(chosen)
    for index in reversed(range(grid_of(plan).segments)):
        for _, own_init, media in audio_segments(source, plan, chosen, index, 1):
            assert own_init == init.data
            parts[index] = media
    target.write_bytes(init.data + b"".join(parts[index] for index in sorted(parts)))
    return target
