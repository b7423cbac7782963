"""Greatest memory of a worker by rung, and of the serving process while a ladder is made and a player plays.

A worker is the real one, given one job over its pipe: ten seconds of film in one rung with two threads, as for a player
that waits, and then of the whole ladder with one, as ahead of time. The serving process is held against its idle
figure and what its cache of segments holds.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import re
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urljoin

import requests

from ottserver import wiring
from ottserver.ingest.probe import probe
from ottserver.settings import load
from ottserver.transcode import wire
from ottserver.transcode.forms import PLAN, packed
from ottserver.transcode.jobs import video_job
from ottserver.transcode.plan import make_plan
from scripts.benches._films import FILM, ffmpeg, looped
from tests.support.server import Server

EMAIL, PASSWORD = "bench@example.org", "a bench's passphrase"
SECONDS, NO_DEVICES = "600", "0"
RUN = 5
"""Segments of a worker's job."""


def memory_mb(pid: int, name: str) -> float:
    """A figure of /proc/PID/status, such as VmRSS or VmHWM (its greatest), in MB."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else 0.0


async def worker(film: Path, rungs: list[str], threads: int) -> float:
    """Greatest resident memory, in MB, of a worker that makes a run of segments."""
    plan = PLAN.dump_json(make_plan(probe(film), wiring.encoder_settings(load()))).decode()
    words = ("-m", "ottserver.transcode.worker", str(os.getpid()), "0", str(threads), SECONDS, NO_DEVICES)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdin=pipe, stdout=pipe)
    if process.stdin is None or process.stdout is None:
        sys.exit("the worker has no pipes")
    job = video_job(plan, str(film), rungs, 0, RUN)
    process.stdin.write(wire.pack({"kind": job.kind, **job.fields, "plan": packed(job.fields["plan"])}))
    while "done" not in (header := (await wire.receive(process.stdout))[0]):
        if "failed" in header:
            sys.exit(f"the worker failed: {header['failed']}")
    peak = memory_mb(process.pid, "VmHWM")
    process.stdin.close()
    await process.wait()
    return peak


def workers(folder: Path) -> None:
    """Print the workers' table."""
    large = folder / "large.mp4"
    picture = "testsrc2=size=3840x2160:rate=24"
    ffmpeg("-f", "lavfi", "-i", picture, "-t", f"{RUN * 2}", "-c:v", "libx264", "-preset", "ultrafast", large)
    print("| a worker makes | from | greatest memory |\n| --- | --- | ---: |")
    for film, source in ((FILM, "1080p"), (large, "2160p")):
        rungs = [rung.name for rung in make_plan(probe(film), wiring.encoder_settings(load())).rungs]
        for rung in rungs:
            print(f"| {rung}, 2 threads | {source} | {asyncio.run(worker(film, [rung], 2)):.0f} MB |", flush=True)
        print(
            f"| all {len(rungs)} rungs, 1 thread | {source} | {asyncio.run(worker(film, rungs, 1)):.0f} MB |",
            flush=True,
        )


def play(url: str, token: str, video_id: str, until: threading.Event) -> None:
    """Fetch the film's best picture and sound in order, as a player does, over and over."""
    headers = {"Authorization": f"Bearer {token}"}
    granted = requests.get(f"{url}/api/v1/play/{video_id}", headers=headers, timeout=60).json()
    master = urljoin(url, granted["manifest_url"])
    text = requests.get(master, timeout=60).text
    lists = [urljoin(master, line) for line in text.splitlines() if line and not line.startswith("#")]
    segments = [
        urljoin(lists[-1], line)
        for line in requests.get(lists[-1], timeout=60).text.splitlines()
        if line and not line.startswith("#")
    ]
    for segment in itertools.cycle(segments):
        if until.is_set():
            return
        requests.get(segment, timeout=120)


def server(folder: Path, seconds: float) -> None:
    """Print what the serving process takes, idle and at work."""
    film = looped(FILM, seconds, folder)
    serving = Server(folder / "data")
    done = threading.Event()
    try:
        serving.run("user", "create", "--email", EMAIL, "--name", "Bench", "--role", "owner", "--password-stdin",
                    stdin=f"{PASSWORD}\n")  # fmt: skip
        serving.start()
        pid = serving.process.pid if serving.process else 0
        time.sleep(5)
        idle = memory_mb(pid, "VmRSS")
        api = f"{serving.url}/api/v1"
        token = requests.post(f"{api}/login", json={"email": EMAIL, "password": PASSWORD}, timeout=60).json()["token"]
        imported = serving.run("import", str(film), "--wait", "playable").stdout
        video_id = re.findall(r'"video_id": ?"([^"]+)"', imported)[0]
        player = threading.Thread(target=play, args=(serving.url, token, video_id, done), daemon=True)
        player.start()
        headers = {"Authorization": f"Bearer {token}"}
        while (
            requests.get(f"{api}/admin/videos/{video_id}", headers=headers, timeout=60).json()["status"] == "playable"
        ):
            time.sleep(0.5)
        done.set()
        player.join()
        metrics = requests.get(f"{serving.url}/metrics", headers=headers, timeout=60).text
        cached = re.search(r"^ott_edge_bytes (\S+)$", metrics, re.MULTILINE)
        peak, now = memory_mb(pid, "VmHWM"), memory_mb(pid, "VmRSS")
    finally:
        done.set()
        serving.close()
    held = float(cached[1]) / 1e6 if cached else float("nan")
    print(f"\nThe serving process, {seconds:g} s of film encoded while a player plays: idle {idle:.0f} MB, "
          f"greatest {peak:.0f} MB, afterwards {now:.0f} MB with {held:.0f} MB of segments in its cache")  # fmt: skip


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120, help="length of the film that the server encodes (120)")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        workers(Path(folder))
        server(Path(folder), seconds)


if __name__ == "__main__":
    main()
