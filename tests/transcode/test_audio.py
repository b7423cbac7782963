from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from ottserver.ingest.probe import probe
from ottserver.transcode.audio import audio_init, audio_segments
from ottserver.transcode.pcm import Pcm
from ottserver.transcode.plan import audio_bandwidth, grid_of, make_plan
from tests.transcode.clips import TONE_HERTZ, Clip, Sound, packets_of, tone, write
from tests.transcode.stitching import SETTINGS, SMALL, stitched_audio

if TYPE_CHECKING:
    from pathlib import Path

    from ottserver.media import SourceReport
    from ottserver.transcode.models import EncoderSettings, EncodingPlan

FRAME = 1024
SOUNDS = [
    ("aac.mp4", Sound()),
    ("aac-44100.mkv", Sound(rate=44100)),
    ("surround.mp4", Sound(layout="5.1")),
    ("mono.mkv", Sound(codec="flac", layout="mono", rate=32000)),
    ("opus.mkv", Sound(codec="libopus")),
    ("mp3.mkv", Sound(codec="libmp3lame", rate=44100)),
    ("ac3.ts", Sound(codec="ac3")),
    ("high.mkv", Sound(codec="flac", rate=96000)),
    ("low.mkv", Sound(codec="flac", rate=11025)),
]


def plan_of(report: SourceReport, settings: EncoderSettings = SMALL) -> EncodingPlan:
    """A plan in which everything is encoded: `test_soundslice` is about the source's own packets."""
    return make_plan(report, settings, copy=False)


def heard(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


def signal_to_noise(made: np.ndarray, wanted: np.ndarray) -> float:
    noise = float(((made - wanted) ** 2).mean())
    return 10 * float(np.log10(float((wanted**2).mean()) / (noise + 1e-12)))


@pytest.mark.parametrize(("name", "sound"), SOUNDS, ids=lambda value: value if isinstance(value, str) else "")
def test_sound_is_whole_and_in_its_place(name: str, sound: Sound, tmp_path: Path) -> None:
    clip = Clip(name, seconds=7, size=(64, 48), sounds=(sound,))
    source = write(clip, tmp_path)
    plan = plan_of(probe(source))
    track = plan.tracks[0]
    assert track.sample_rate == {96000: 48000}.get(sound.rate, sound.rate)

    whole = stitched_audio(source, plan, tmp_path / "stitched.mp4")

    bounds = grid_of(plan).audio_boundaries(track.sample_rate)
    packets = packets_of(whole)["audio"]
    assert [pts for pts, _, _ in packets] == list(range(0, bounds[-1], FRAME))
    samples = heard(whole)
    wanted = tone(replace(sound, rate=track.sample_rate, layout="stereo"), clip.seconds)
    length = min(samples.shape[1], wanted.shape[1]) - 4 * FRAME
    half_period = track.sample_rate // TONE_HERTZ // 2
    best = max(
        range(-half_period, half_period + 1),
        key=lambda lag: float(np.dot(samples[0, 4096 + lag : length + lag], wanted[0, 4096:length])),
    )
    # A millisecond: Matroska's timestamps are whole ones.
    assert abs(best) <= track.sample_rate / 1000
    if sound.layout != "5.1":
        level = float((samples[:, 4096:length] ** 2).mean() / (wanted[:, 4096:length] ** 2).mean())
        assert 0.9 < level < 1.1


@pytest.mark.parametrize("name", ["seams.mp4", "seams.mkv", "seams.ts"])
def test_seams_are_as_good_as_the_middle_of_segments(name: str, tmp_path: Path) -> None:
    sound = Sound(rate=44100)
    source = write(Clip(name, seconds=9, size=(64, 48), sounds=(sound,)), tmp_path)
    plan = plan_of(probe(source))
    samples = heard(stitched_audio(source, plan, tmp_path / "stitched.mp4"))
    bounds = grid_of(plan).audio_boundaries(44100)
    wanted = Pcm(source, plan, plan.tracks[0]).read(0, bounds[-1])
    seams = [signal_to_noise(*(part[:, at - 1536 : at + 1536] for part in (samples, wanted))) for at in bounds[1:-1]]
    middles = [
        signal_to_noise(*(part[:, at - 20_000 - 1536 : at - 20_000 + 1536] for part in (samples, wanted)))
        for at in bounds[1:-1]
    ]
    # Beyond 60 dB nobody hears a difference, and chance decides.
    assert min(seams) > min(*middles, 60.0) - 3
    assert min(seams) > 25


@pytest.mark.parametrize("name", ["same.mp4", "same.mkv", "same.ts"])
def test_samples_are_the_same_from_wherever_they_are_read(name: str, tmp_path: Path) -> None:
    codec = "ac3" if name.endswith("ts") else "aac"
    source = write(Clip(name, seconds=6, size=(64, 48), sounds=(Sound(codec=codec, rate=44100),)), tmp_path)
    plan = plan_of(probe(source))
    pcm = Pcm(source, plan, plan.tracks[0])
    whole = pcm.read(0, 260_000)
    for start in (50_000, 123_457, 200_001):
        assert np.abs(pcm.read(start, start + 40_000) - whole[:, start : start + 40_000]).max() < 1e-3


def test_resampled_sound_is_the_same_from_wherever_it_is_read(tmp_path: Path) -> None:
    source = write(Clip("up.mkv", seconds=5, size=(64, 48), sounds=(Sound(codec="flac", rate=88200),)), tmp_path)
    report = probe(source)
    plan = plan_of(report)
    track = replace(plan.tracks[0], sample_rate=48000)
    pcm = Pcm(source, plan, track)
    whole = pcm.read(0, 200_000)
    for start in (50_000, 123_457):
        assert np.abs(pcm.read(start, start + 40_000) - whole[:, start : start + 40_000]).max() < 1e-6


def test_late_sound_begins_in_silence_and_short_sound_ends_in_it(tmp_path: Path) -> None:
    sound = Sound(codec="flac", starts=1.5, seconds=2.0)
    source = write(Clip("late.mkv", seconds=6, size=(64, 48), sounds=(sound,)), tmp_path)
    plan = plan_of(probe(source))
    samples = heard(stitched_audio(source, plan, tmp_path / "stitched.mp4"))
    loud = np.flatnonzero(np.abs(samples[0]) > 0.02)
    assert abs(loud[0] / 48000 - 1.5) < 0.03
    assert abs(loud[-1] / 48000 - 3.5) < 0.03
    assert abs(samples.shape[1] / 48000 - 6) <= FRAME / 48000


def test_longer_sound_ends_with_the_picture(tmp_path: Path) -> None:
    source = write(Clip("long.mkv", seconds=3, size=(64, 48), sounds=(Sound(seconds=6),)), tmp_path)
    plan = plan_of(probe(source))
    samples = heard(stitched_audio(source, plan, tmp_path / "stitched.mp4"))
    assert abs(samples.shape[1] / 48000 - 3) <= FRAME / 48000


def test_sound_stays_with_a_picture_that_begins_late(tmp_path: Path) -> None:
    clip = Clip("offset.ts", seconds=5, size=(64, 48), first=40, sounds=(Sound(starts=1.0, seconds=2.0),))
    source = write(clip, tmp_path)
    plan = plan_of(probe(source))
    samples = heard(stitched_audio(source, plan, tmp_path / "stitched.mp4"))
    loud = np.flatnonzero(np.abs(samples[0]) > 0.02)
    assert abs(loud[0] / 48000 - 1.0) < 0.03


def test_each_track_is_a_rendition_with_its_language(tmp_path: Path) -> None:
    sounds = (Sound(language="eng"), Sound(language="hin", layout="5.1"), Sound(codec="ac3"))
    source = write(Clip("many.mkv", seconds=1, size=(64, 48), sounds=sounds), tmp_path)
    tracks = plan_of(probe(source)).tracks
    assert [(track.name, track.language, track.default) for track in tracks] == [
        ("a0", "en", True),
        ("a1", "hi", False),
        ("a2", "und", False),
        ("a1s", "hi", False),
    ]


def test_demo_film_sounds_within_its_bandwidth_made_one_by_one_or_together(bbb_1080p: Path) -> None:
    plan = plan_of(probe(bbb_1080p), SETTINGS)
    track = plan.tracks[0]
    bounds = grid_of(plan).audio_boundaries(track.sample_rate)
    together = {index: media for index, _, media in audio_segments(bbb_1080p, plan, track, 4, 3)}
    for index in (6, 5, 4):
        ((_, init, media),) = audio_segments(bbb_1080p, plan, track, index, 1)
        assert init == audio_init(track).data
        assert media == together[index]
        assert len(media) * 8 / ((bounds[index + 1] - bounds[index]) / track.sample_rate) <= audio_bandwidth(track)
