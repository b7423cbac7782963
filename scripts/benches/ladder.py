"""Seconds for a whole ladder, beside one ffmpeg command with the same rungs, x264 settings, sound and kind of output.

ottserver's time is a whole `import --wait complete`: start, hash, probe, plan, pictures, subtitles, and every segment,
each an encode of its own that is stored. ffmpeg decodes once and writes fragmented MP4 segments with HLS playlists, key
frames on the same grid, each track of sound once. Rounds alternate. Then: what a film costs whose own packets are the
top rung, how it goes with fewer processors, and where the time goes.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from ottserver import wiring
from ottserver.ingest.probe import probe
from ottserver.settings import load
from ottserver.transcode.audio import audio_segments
from ottserver.transcode.encoders import look_ahead
from ottserver.transcode.plan import grid_of, make_plan
from ottserver.transcode.video import video_segments
from scripts.benches._films import FILM, closed, ffmpeg, looped

if TYPE_CHECKING:
    from collections.abc import Callable

    from ottserver.transcode.models import EncoderSettings, EncodingPlan

Function = tuple[str, int, str]
"""File, line and name, as a profile has them."""
Entry = tuple[int, int, float, float, dict[Function, tuple[int, int, float, float]]]
"""Calls, own seconds as the third, and callers."""

PARTS = {
    "decode.py": "decode",
    "sourcefile.py": "decode",
    "picture.py": "scale and convert",
    "video.py": "encode",
    "mux.py": "mux",
    "audio.py": "sound",
    "pcm.py": "sound",
    "limiter.py": "sound",
    "downmix.py": "sound",
    "placing.py": "sound",
}


def ottserver(film: Path, folder: Path, wait: str = "complete") -> float:
    """Seconds of `import --wait` without a server, so that the command encodes itself."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OTT_")},
        "OTT_TRANSCODE_BACKGROUND_WORKERS": str(len(os.sched_getaffinity(0))),
    }
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "ottserver", "import", "--data", str(folder / "data"), str(film), "--wait", wait],
        check=True,
        capture_output=True,
        env=environment,
        timeout=7200,
    )
    took = time.perf_counter() - begun
    status = json.loads(done.stdout)["status"]
    if status not in {wait, "complete"}:
        sys.exit(f"the film is {status}, not {wait}")
    return took


def one_command(film: Path, folder: Path, plan: EncodingPlan) -> float:
    """Seconds of one ffmpeg command that makes the same renditions from one decode."""
    seconds = f"{plan.segment_seconds[-1]:g}"
    names = "".join(f"[s{rung.name}]" for rung in plan.rungs)
    filters = [f"[0:v]split={len(plan.rungs)}{names}"]
    outputs: list[str] = []
    for rung in plan.rungs:
        filters.append(f"[s{rung.name}]scale={rung.width}:{rung.height}:flags=bicubic[{rung.name}]")
        outputs += ["-map", f"[{rung.name}]", "-c:v", "libx264", "-preset", rung.preset, "-crf", f"{rung.crf:g}"]
        outputs += [
            "-maxrate",
            str(rung.maxrate),
            "-bufsize",
            str(rung.bufsize),
            "-rc-lookahead",
            str(look_ahead(rung)),
        ]
        outputs += ["-profile:v", "high", "-bf", "3", "-g", "9999", "-sc_threshold", "0", "-flags", "+cgop"]
        outputs += ["-forced-idr", "1", "-force_key_frames", f"expr:gte(t,n_forced*{seconds})"]
        outputs += _segments(folder / rung.name, seconds)
    for track in plan.tracks:
        made = ["copy"] if track.copied else ["aac", "-ac", str(track.channels), "-b:a", str(track.bitrate)]
        outputs += ["-map", f"0:{track.stream}", "-c:a", *made]
        outputs += _segments(folder / track.name, seconds)
    begun = time.perf_counter()
    ffmpeg("-i", film, "-filter_complex", ";".join(filters), *outputs)
    return time.perf_counter() - begun


def _segments(folder: Path, seconds: str) -> list[str]:
    folder.mkdir()
    words = ["-f", "hls", "-hls_segment_type", "fmp4", "-hls_time", seconds, "-hls_playlist_type", "vod"]
    return [*words, "-hls_segment_filename", str(folder / "%d.m4s"), str(folder / "media.m3u8")]


def compare(film: Path, plan: EncodingPlan, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of both in every round, ours first."""
    ours: list[float] = []
    theirs: list[float] = []
    measures: list[tuple[list[float], Callable[[Path], float]]] = [
        (ours, lambda folder: ottserver(film, folder)),
        (theirs, lambda folder: one_command(film, folder, plan)),
    ]
    for number in range(rounds):
        for results, measure in measures:
            with tempfile.TemporaryDirectory() as folder:
                results.append(measure(Path(folder)))
        print(f"{film.name}, round {number + 1}: {ours[-1]:.1f} s, ffmpeg {theirs[-1]:.1f} s", file=sys.stderr)
    return ours, theirs


def row(name: str, ours: list[float], theirs: list[float]) -> str:
    """A line of the table: medians, their ratio, and least and most."""
    mine, other = statistics.median(ours), statistics.median(theirs)
    spread = f"{min(ours):.1f} to {max(ours):.1f}; {min(theirs):.1f} to {max(theirs):.1f}"
    return f"| {name} | {mine:.1f} | {other:.1f} | **{mine / other:.2f}** | {spread} |"


def with_processors(count: int, film: Path, plan: EncodingPlan, rounds: int) -> str:
    """A line of the table, with both held to so many processors."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        return row(f"{count}", *compare(film, plan, rounds))
    finally:
        os.sched_setaffinity(0, before)


def parts(film: Path, plan: EncodingPlan) -> dict[str, float]:
    """Seconds of one processor by what a worker does, all of the film's segments in one process with one thread."""
    grid = grid_of(plan)
    profile = cProfile.Profile()
    profile.enable()
    for _ in video_segments(film, plan, plan.rungs, 0, count=grid.segments, threads=1):
        pass
    for track in (track for track in plan.tracks if not track.copied):
        for _ in audio_segments(film, plan, track, 0, grid.segments):
            pass
    profile.disable()
    stats: dict[Function, Entry] = pstats.Stats(profile).stats  # type: ignore[attr-defined] # not in the stub
    found: Counter[str] = Counter()
    for function, entry in stats.items():
        found[_part(function, stats)] += entry[2]  # type: ignore[assignment] # seconds are counted too
    return dict(found.most_common())


def _part(function: Function, stats: dict[Function, Entry]) -> str:
    """What a function belongs to: what FFmpeg does inside a call, to our function that makes the call."""
    seen = set()
    while function not in seen:
        seen.add(function)
        file, _, name = function
        if (part := PARTS.get(Path(file).name)) is not None:
            return "mux" if name in {"_mux", "close"} else part
        callers = stats[function][4]
        function = max(callers, key=lambda caller, callers=callers: callers[caller][2], default=function)  # type: ignore[misc] # bound above
    return "the rest"


def main() -> None:
    """Compare as asked and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lengths", default="30,120,300", help="seconds of film, with commas (30,120,300)")
    parser.add_argument("--copied", default="30,300", help="the same with a copied top rung; empty: none (30,300)")
    parser.add_argument("--processors", default="1", help="fewer processors to try with the first length (1)")
    parser.add_argument("--no-profile", action="store_true", help="leave out where the time goes")
    given = parser.parse_args()
    settings = wiring.encoder_settings(load())
    plan = make_plan(probe(FILM), settings)
    rungs = ", ".join(f"{rung.width}x{rung.height}" for rung in plan.rungs)
    lengths = [float(length) for length in given.lengths.split(",") if length]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        print(f"{rungs}, {len(plan.tracks)} tracks of sound; medians of {given.rounds} rounds\n")
        print("| film | ottserver, s | ffmpeg, s | ratio | least to most |\n| --- | ---: | ---: | ---: | --- |")
        for length in lengths:
            print(row(f"{length:g} s", *compare(looped(FILM, length, place), plan, given.rounds)), flush=True)
        for length in [float(length) for length in given.copied.split(",") if length]:
            film = looped(closed(place), length, place)
            print(row(f"{length:g} s, top rung copied", *compare(film, plan, given.rounds)), flush=True)
        first = looped(FILM, lengths[0], place)
        print("\n| processors | ottserver, s | ffmpeg, s | ratio | least to most |\n| --- | ---: | ---: | ---: | --- |")
        for count in [int(count) for count in given.processors.split(",") if count]:
            print(with_processors(count, first, plan, given.rounds), flush=True)
        with tempfile.TemporaryDirectory() as data:
            playable = ottserver(first, Path(data), "playable")
        print(f"\nUntil it can be played (start, hash, probe, plan, init segments): {playable:.2f} s of wall time.")
        if not given.no_profile:
            profiled(first, lengths[0], settings)


def profiled(film: Path, seconds: float, settings: EncoderSettings) -> None:
    """Print where the time goes."""
    found = parts(film, make_plan(probe(film), settings))
    total = sum(found.values())
    print(f"\nWhere a worker's time goes, {seconds:g} s of film on one processor, {total:.1f} s:\n")
    print("| part | s | share |\n| --- | ---: | ---: |")
    for name, took in found.items():
        print(f"| {name} | {took:.1f} | {took / total:.0%} |")


if __name__ == "__main__":
    main()
