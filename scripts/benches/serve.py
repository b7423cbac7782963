"""Requests a second of cached segments: the whole server beside Debian's nginx, in the same run, each on one processor.

A film is imported, three of its segments get the sizes of interest, and a viewer's ticket is taken; then wrk asks for
one of them again and again with 32 connections, on the other processor. ottserver is the program as it is started by
hand: it checks the ticket, keeps its cache, counts, logs. nginx (sendfile, open_file_cache, one worker) has a file and
nothing to check. Rounds alternate between the two, so that whatever else the machine does falls on both; beside
requests a second stands the processor time that one took.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import requests

from ottserver.media import segment_key
from scripts.benches._films import ffmpeg
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVING, LOADING = 0, 1
"""Processors: the servers', and wrk's."""
CONNECTIONS = 32
START_SECONDS = 10.0
SIZES = (32_768, 300_000, 1_250_000)
"""Bytes: two seconds of sound, of 480p and of 5 Mbit/s."""
EMAIL, PASSWORD = "bench@example.org", "a bench's passphrase"
TICK = os.sysconf("SC_CLK_TCK")

NGINX = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_rlimit_nofile 20000;
events {{ worker_connections 20000; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=100;
    open_file_cache_valid 60s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    types {{ video/mp4 m4s; }}
    server {{
        listen 127.0.0.1:{port};
        root {folder}/www;
        add_header Cache-Control "public, max-age=31536000, immutable";
    }}
}}
"""


RANGES = """
-- A range of half the segment, anywhere in it.
local size = tonumber(os.getenv("SEGMENT_BYTES"))
local half = math.floor(size / 2)
request = function()
    local start = math.random(0, size - half)
    wrk.headers["Range"] = string.format("bytes=%d-%d", start, start + half - 1)
    return wrk.format("GET")
end
"""


@dataclass
class Side:
    """One of the two servers, and what it has done."""

    urls: dict[int, str]
    """Address of the segment of each size."""
    bodies: dict[int, bytes]
    pid: int
    rates: list[float] = field(default_factory=list)
    """Requests a second, of each round."""
    costs: list[float] = field(default_factory=list)
    """Microseconds of processor time that a request took."""


def padded(segment: bytes, size: int) -> bytes:
    """The segment with a free box behind it (ISO/IEC 14496-12, 8.1.2), so that it has `size` bytes."""
    left = size - len(segment)
    return segment + struct.pack(">I4s", left, b"free") + bytes(index * 31 & 0xFF for index in range(left - 8))


@contextmanager
def ottserver(folder: Path, **env: str) -> Iterator[Side]:
    """The program on its processor, with a film whose segments have our bytes; `env` are its OTT_* variables."""
    film = folder / "film.mp4"
    pictures = ("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=24:duration=8")
    ffmpeg(*pictures, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", film)
    server = Server(folder / "data", env=env)
    try:
        owner = ("user", "create", "--email", EMAIL, "--name", "Bench", "--role", "owner", "--password-stdin")
        server.run(*owner, stdin=f"{PASSWORD}\n")
        imported = server.run("import", str(film), "--wait", "complete")
        server.start()
        address = _segments(server.url, json.loads(imported.stdout.splitlines()[-1])["video_id"])
        presentation_id, rendition = address.split("/")[-2:]
        bodies = {}
        for index, size in enumerate(SIZES):
            [stored] = server.data.rglob(segment_key(presentation_id, rendition, index))
            bodies[size] = padded(stored.read_bytes(), size)
            stored.write_bytes(bodies[size])
        pid = server.process.pid if server.process else 0
        _pin_running(SERVING, pid)
        yield Side({size: f"{address}/{index}.m4s" for index, size in enumerate(SIZES)}, bodies, pid)
    finally:
        server.close()


def _segments(url: str, video_id: str) -> str:
    """The folder of a film's segments under a viewer's ticket."""
    person = {"email": EMAIL, "password": PASSWORD}
    token = requests.post(f"{url}/api/v1/login", json=person, timeout=START_SECONDS).json()["token"]
    play = requests.get(
        f"{url}/api/v1/play/{video_id}", headers={"Authorization": f"Bearer {token}"}, timeout=START_SECONDS
    )
    master = urljoin(url, play.json()["manifest_url"])
    listed = requests.get(master, timeout=START_SECONDS).text.splitlines()
    playlist = str(urljoin(master, next(line for line in listed if line and line[0] != "#")))
    return playlist.rpartition("/")[0]


@contextmanager
def nginx(folder: Path, bodies: dict[int, bytes]) -> Iterator[Side]:
    """The system's nginx on the same processor, with files of our bytes."""
    (folder / "www").mkdir()
    for size, body in bodies.items():
        (folder / "www" / f"{size}.m4s").write_bytes(body)
    port = _free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, user=user))
    command = [_program("nginx", "nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    process = subprocess.Popen([*_pin(SERVING), *command])
    try:
        urls = {size: f"http://127.0.0.1:{port}/{size}.m4s" for size in SIZES}
        # It listens before it starts its worker.
        while not (children := Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()):
            if process.poll() is not None:
                sys.exit("nginx did not start; see above.")
            time.sleep(0.05)
        yield Side(urls, bodies, int(children[0]))
    finally:
        _end(process)


def check(side: Side, size: int) -> None:
    """Make sure that the server answers with the right bytes, whole and in part."""
    url, body = side.urls[size], side.bodies[size]
    whole = requests.get(url, timeout=START_SECONDS)
    part = requests.get(url, headers={"Range": f"bytes=7-{size // 2}"}, timeout=START_SECONDS)
    if (whole.status_code, whole.content) != (200, body):
        sys.exit(f"{url[:40]} answers {whole.status_code} with other bytes.")
    if (part.status_code, part.content) != (206, body[7 : size // 2 + 1]):
        sys.exit(f"{url[:40]} answers a range with {part.status_code} and other bytes.")


def one_round(side: Side, size: int, seconds: int, script: Path | None) -> None:
    """Let wrk count for that time; anything but whole, good answers ends the benchmark."""
    command = [*_pin(LOADING), _program("wrk", "wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"]
    command += ["-s", str(script)] if script else []
    before = _processor_seconds(side.pid)
    done = subprocess.run(
        [*command, side.urls[size]],
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        check=True,
        env={**os.environ, "SEGMENT_BYTES": str(size)},
    )
    used = _processor_seconds(side.pid) - before
    rate = re.search(r"Requests/sec:\s*([0-9.]+)", done.stdout)
    count = re.search(r"([0-9]+) requests in", done.stdout)
    if rate is None or count is None or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        sys.exit(f"wrk saw failures:\n{done.stdout}")
    side.rates.append(float(rate[1]))
    side.costs.append(used / int(count[1]) * 1e6)


def compare(seconds: int, rounds: int, sizes: list[int]) -> None:
    """Run the rounds and print what came out."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        script = folder / "ranges.lua"
        script.write_text(RANGES)
        ours = stack.enter_context(ottserver(folder))
        peer = stack.enter_context(nginx(folder, ours.bodies))
        print(f"Requests a second over {CONNECTIONS} connections, median of {rounds} rounds of {seconds} s (least to")
        print("most); in brackets microseconds of the server's processor time for each.\n")
        print("| segment | asked for | ottserver | nginx | ratio |\n| ---: | --- | ---: | ---: | ---: |")
        for size in sizes:
            for kind, words in (("whole", None), ("half of it", script)):
                for side in (ours, peer):
                    check(side, size)
                    one_round(side, size, 1, words)
                    side.rates.clear()
                    side.costs.clear()
                for _ in range(rounds):
                    for side in (ours, peer):
                        one_round(side, size, seconds, words)
                ratio = statistics.median(ours.rates) / statistics.median(peer.rates)
                print(f"| {size:,} | {kind} | {_told(ours)} | {_told(peer)} | **{ratio:.2f}** |", flush=True)


def _told(side: Side) -> str:
    middle, cost = statistics.median(side.rates), statistics.median(side.costs)
    return f"{middle:,.0f} ({min(side.rates):,.0f} to {max(side.rates):,.0f}) [{cost:.1f}]"


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def _pin(processor: int) -> list[str]:
    available = sorted(os.sched_getaffinity(0))
    return [_program("taskset", "util-linux"), "-c", str(available[processor % len(available)])]


def _pin_running(processor: int, pid: int) -> None:
    *taskset, number = _pin(processor)
    subprocess.run([taskset[0], "-a", "-p", "-c", number, str(pid)], check=True, capture_output=True)


def _program(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        sys.exit(f"{name} is not on this machine; as root: apt-get install {package}")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3, help="length of a round for each server (3)")
    parser.add_argument("--rounds", type=int, default=5, help="how many rounds (5)")
    parser.add_argument("--sizes", type=int, nargs="+", choices=SIZES, default=SIZES, help="bytes of the segments")
    given = parser.parse_args()
    compare(given.seconds, given.rounds, given.sizes)


if __name__ == "__main__":
    main()
