from __future__ import annotations

import subprocess
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from ottserver.backends.ffmpeg.adts import payload
from ottserver.delivery.dash import mpd
from ottserver.delivery.hls import master_playlist, media_playlist
from ottserver.ingest.probe import probe
from ottserver.transcode.audio import audio_init
from ottserver.transcode.plan import audio_bandwidth, audio_boundaries, present
from ottserver.transcode.soundslice import copied_sound, sound_init
from ottserver.transcode.video import video_init, video_segments
from tests.transcode.clips import Clip, Sound, write
from tests.transcode.stitching import SETTINGS, plan_of

if TYPE_CHECKING:
    from pathlib import Path

    from ottserver.transcode.models import EncodingPlan, Track

FRAME = 1024
SMALL = (64, 48)
COPIED = [
    Clip("plain.mp4", seconds=7, size=SMALL, sounds=(Sound(),)),
    Clip("phase.mp4", seconds=7, size=SMALL, sounds=(Sound(starts=0.005),)),
    Clip("late.mp4", seconds=7, size=SMALL, sounds=(Sound(starts=2.993),)),
    Clip("surround.mov", seconds=7, size=SMALL, sounds=(Sound(layout="5.1"),)),
    Clip("jitter.mkv", seconds=7, size=SMALL, rate=Fraction(24000, 1001), sounds=(Sound(rate=44100, starts=0.009),)),
    Clip("late.mkv", seconds=7, size=SMALL, sounds=(Sound(starts=2.993),)),
    Clip("adts.ts", seconds=7, size=SMALL, sounds=(Sound(starts=0.005),)),
    Clip("offset.ts", seconds=7, size=SMALL, first=40, sounds=(Sound(rate=32000),)),
    Clip("tag.flv", seconds=7, size=SMALL, sounds=(Sound(rate=44100),)),
]


def own(path: Path, rate: int) -> list[tuple[float, bytes]]:
    """Every AAC frame of a file with its place in samples from the first picture."""
    with av.open(str(path)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        bare = not sound.codec_context.extradata or path.suffix == ".ts"
        found: list[tuple[Fraction, bytes]] = []
        pictures: list[tuple[Fraction, bytes]] = []
        for packet in container.demux(video, sound):
            if packet.size and packet.pts is not None:
                (found if packet.stream is sound else pictures).append((packet.pts * packet.time_base, bytes(packet)))
    origin = min(pictures)[0]
    return [(float((at - origin) * rate), payload(data) if bare else data) for at, data in found]


def sound_of(plan: EncodingPlan) -> Track:
    """The first track that is copied."""
    return next(track for track in plan.tracks if track.copied)


def stitched(source: Path, plan: EncodingPlan, target: Path) -> Path:
    """All segments of the first copied track, cut last first, behind its init segment."""
    track = sound_of(plan)
    init = sound_init(source, plan, track)
    assert init == audio_init(track)
    parts = {}
    for index in reversed(range(len(audio_boundaries(plan, track)) - 1)):
        own_init, parts[index] = copied_sound(source, plan, track, index)
        assert own_init == init.data
    target.write_bytes(init.data + b"".join(parts[index] for index in sorted(parts)))
    return target


def laid(path: Path) -> list[tuple[int, bytes]]:
    """The packets of a stitched track with their timestamps, once they were seen to follow each other."""
    with av.open(str(path)) as container:
        found = [(packet.pts, bytes(packet)) for packet in container.demux(audio=0) if packet.pts is not None]
    assert [after[0] - before[0] for before, after in pairwise(found)] == [FRAME] * (len(found) - 1)
    return found


def loudness(path: Path) -> np.ndarray:
    """Mean square of each frame of sound of a stitched track."""
    with av.open(str(path)) as container:
        return np.array([float((frame.to_ndarray() ** 2).mean()) for frame in container.decode(audio=0)])


def spoiled(path: Path, frames: range) -> Path:
    """Put a file's bytes of these AAC frames out of order where they lie, so that no decoder takes them."""
    data = path.read_bytes()
    for _, frame in own(path, 48000)[frames.start : frames.stop]:
        assert data.count(frame) == 1
        data = data.replace(frame, b"\xff" * len(frame))
    path.write_bytes(data)
    return path


def remuxed(source: Path, target: Path, lost: range) -> Path:
    """The same film without these packets of its sound."""
    with av.open(str(source)) as container, av.open(str(target), "w") as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in container.streams}
        count = 0
        for packet in container.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "audio":
                count += 1
                if count - 1 in lost:
                    continue
            packet.stream = streams[packet.stream.index]
            out.mux(packet)
    return target


@pytest.mark.parametrize("clip", COPIED, ids=lambda clip: clip.name)
def test_copy_is_the_sources_packets_in_their_places(clip: Clip, tmp_path: Path) -> None:
    source = write(clip, tmp_path)
    plan = plan_of(probe(source))
    track = sound_of(plan)
    bounds = audio_boundaries(plan, track)
    made = laid(stitched(source, plan, tmp_path / "stitched.mp4"))
    assert (made[0][0], made[-1][0] + FRAME) == (bounds[0], bounds[-1])
    slack = track.sample_rate / 1000 + 2
    there = dict(made)
    copied = 0
    for place, data in own(source, track.sample_rate):
        near = [pts for pts in there if abs(pts - place) <= slack]
        if near:
            assert there[near[0]] == data
            copied += 1
        else:
            assert place < bounds[0] or place >= bounds[-1] - slack
    late = round(clip.sounds[0].starts * track.sample_rate) // FRAME
    assert copied >= len(made) - late - 2


def test_first_boundaries_are_where_the_packets_are(tmp_path: Path) -> None:
    phases = []
    for clip in COPIED[:3]:
        source = write(clip, tmp_path)
        plan = plan_of(probe(source))
        bounds = audio_boundaries(plan, plan.tracks[0])
        assert (bounds[0] - own(source, 48000)[1][0]) % FRAME == 0
        phases.append(bounds[0])
    assert phases[:2] == [0, 240]


@pytest.mark.parametrize("name", ["damaged.mp4", "damaged.mkv"])
def test_damaged_frames_are_silence_and_all_others_themselves(name: str, tmp_path: Path) -> None:
    whole = write(Clip(name, seconds=10, size=SMALL, sounds=(Sound(),)), tmp_path)
    before = own(whole, 48000)
    plan = plan_of(probe(whole))
    bad = range(220, 260)
    # The file is spoiled after it was probed: the damage may lie anywhere.
    target = stitched(spoiled(whole, bad), plan, tmp_path / "stitched.mp4")
    made = laid(target)
    skipped = sum(place < plan.tracks[0].phase - 24 for place, _ in before)
    kept = [data for _, data in before[skipped : skipped + len(made)]]
    differing = [number for number, (_, data) in enumerate(made[: len(kept)]) if data != kept[number]]
    assert differing == list(range(bad.start - skipped, bad.stop - skipped))
    levels = loudness(target)
    assert levels[differing[2:-2]].max() < 1e-6
    assert levels[differing[0] - 20 : differing[0] - 1].min() > 1e-3


@pytest.mark.parametrize("name", ["hole.mp4", "hole.mkv", "hole.ts"])
def test_missing_frames_are_silence_of_their_length(name: str, tmp_path: Path) -> None:
    whole = write(Clip("whole.mp4", seconds=24, size=SMALL, sounds=(Sound(),)), tmp_path)
    before = own(whole, 48000)
    source = remuxed(whole, tmp_path / name, range(430, 460))
    plan = plan_of(probe(source))
    target = stitched(source, plan, tmp_path / "stitched.mp4")
    made = laid(target)
    bounds = audio_boundaries(plan, plan.tracks[0])
    assert len(made) == (bounds[-1] - bounds[0]) // FRAME
    slots = [round((place - bounds[0]) / FRAME) for place, _ in before[5:-5]]
    assert all(abs(made[slot][0] - place) <= 50 for slot, (place, _) in zip(slots, before[5:-5], strict=True))
    pairs = zip(slots, before[5:-5], strict=True)
    assert [n for n, (slot, (_, data)) in enumerate(pairs, 5) if made[slot][1] != data] == list(range(430, 460))
    first = slots[430 - 5]
    assert loudness(target)[first + 2 : first + 29].max() < 1e-6


def test_stretch_of_other_sound_is_encoded_and_heard(tmp_path: Path) -> None:
    def part(name: str, at: float, seconds: float, layout: str) -> bytes:
        clip = Clip(name, seconds=seconds, size=SMALL, first=round(at * 25), sounds=(Sound(layout=layout),))
        return write(clip, tmp_path).read_bytes()

    source = tmp_path / "film.ts"
    source.write_bytes(
        part("1.ts", 0, 15, "stereo") + part("2.ts", 15, 2, "mono") + part("3.ts", 17, 7, "stereo"),
    )
    plan = plan_of(probe(source))
    target = stitched(source, plan, tmp_path / "stitched.mp4")
    laid(target)
    levels = loudness(target)
    frames = slice(int(15.2 * 48000 / FRAME), int(16.8 * 48000 / FRAME))
    assert np.median(levels[frames]) > 1e-3


def test_segments_above_the_announced_bandwidth_are_encoded_within_it(bbb_1080p: Path) -> None:
    plan = plan_of(probe(bbb_1080p), SETTINGS)
    track = sound_of(plan)
    bounds = audio_boundaries(plan, track)
    for index in range(4):
        seconds = (bounds[index + 1] - bounds[index]) / track.sample_rate
        init, media = copied_sound(bbb_1080p, plan, track, index)
        assert len(media) * 8 / seconds <= audio_bandwidth(track)
        narrow = replace(track, bitrate=150_000, peak=180_000)
        init, less = copied_sound(bbb_1080p, plan, narrow, index)
        assert init == audio_init(narrow).data
        assert len(less) < len(media)
        assert len(less) * 8 / seconds <= audio_bandwidth(narrow)


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("mono.mp4", Sound(layout="mono")),
        ("low.mp4", Sound(rate=22050)),
        ("mp3.mkv", Sound(codec="libmp3lame")),
        ("surround.mkv", Sound(layout="quad")),
        ("short.mkv", Sound(seconds=3)),
        ("early.mp4", Sound(starts=0.018)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_sound_is_encoded(name: str, sound: Sound, tmp_path: Path) -> None:
    source = write(Clip(name, seconds=8, size=SMALL, sounds=(sound,)), tmp_path)
    assert not any(track.copied for track in plan_of(probe(source)).tracks)


@pytest.mark.parametrize("manifest", ["master.m3u8", "manifest.mpd"])
def test_another_ffmpeg_reads_the_copy_through_manifests_in_sync(manifest: str, tmp_path: Path, ffprobe: Path) -> None:
    source = write(COPIED[1], tmp_path)
    report = probe(source)
    plan = plan_of(replace(report, video=replace(report.video, closed=False)))
    track, (rung,) = plan.tracks[0], plan.rungs
    assert track.phase == 240
    inits = {rung.name: video_init(plan, rung), track.name: sound_init(source, plan, track)}
    film = present(plan, identity="f" * 32, source_id="s", inits=inits)
    for rendition in film.renditions:
        folder = tmp_path / film.id / rendition.name
        folder.mkdir(parents=True)
        (folder / "init.mp4").write_bytes(inits[rendition.name].data)
        (folder / "media.m3u8").write_text(media_playlist(rendition))
        for index in range(rendition.segments):
            if rendition.copied:
                _, media = copied_sound(source, plan, track, index)
            else:
                (media,) = (made.media for made in video_segments(source, plan, [rung], index, threads=1))
            (folder / f"{index}.m4s").write_bytes(media)
    (tmp_path / "master.m3u8").write_text(master_playlist(film, 2160))
    (tmp_path / "manifest.mpd").write_bytes(mpd(film, 2160))

    def times(of: str, path: Path) -> list[tuple[float, int]]:
        command = [str(ffprobe), *(["-allowed_extensions", "ALL"] if path.suffix == ".m3u8" else [])]
        command += ["-v", "error", "-select_streams", of, "-show_entries", "packet=pts_time,size", "-of", "csv=p=0"]
        printed = subprocess.run([*command, path], capture_output=True, text=True, timeout=60, check=True).stdout
        lines = [line.split(",") for line in printed.split()]
        return [(float(at), int(size)) for at, size, *_ in lines]

    pictures, sounds = (times(of, tmp_path / manifest) for of in ("v:0", "a:0"))
    assert len(pictures) == plan.report.video.frames
    first = min(at for at, _ in pictures)
    wanted = [(place / 48000, len(data)) for place, data in own(source, 48000) if place >= 0]
    for (at, size), (place, bytes_) in zip(sounds, wanted, strict=False):
        assert size == bytes_
        assert abs(at - first - place) < 1e-3
    assert abs(len(sounds) - len(wanted)) <= 1
