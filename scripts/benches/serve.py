"""Requests a second of one cached segment: ottserver's media route beside Debian's nginx, in the same run.

One processor serves, wrk runs on the other with 32 connections. Rounds alternate between the two servers, so that
whatever else the machine does falls on both. ottserver checks the ticket, counts, and answers through its whole web
layer; nginx (sendfile, open_file_cache, one worker, no ticket) is the measure.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from aiohttp import web
from prometheus_client import CollectorRegistry

from ottserver.delivery.handlers import routes
from ottserver.delivery.metrics import DeliveryMetrics
from ottserver.delivery.service import Delivery
from ottserver.delivery.tickets import Tickets
from ottserver.errors import NotAuthenticated
from ottserver.ids import new_id
from ottserver.media import Extras, Presentation, Rendition
from ottserver.web.guards import Guard
from ottserver.web.limits import RateLimits
from ottserver.web.server import build_application

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ottserver.identity import Principal

SERVING, LOADING = 0, 1
"""Processors: the servers', and wrk's."""
CONNECTIONS = 32
START_SECONDS = 10.0

NGINX = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
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


class OneSegment:
    """Has the bytes of every segment: they are all the same."""

    def __init__(self, size: int) -> None:
        """Make `size` bytes."""
        self.data = bytes(index * 31 & 0xFF for index in range(size))

    async def init(self, _presentation_id: str, _rendition: str) -> bytes:
        """The bytes."""
        return self.data

    async def segment(self, _presentation_id: str, _rendition: str, _index: int, *, viewer: str = "") -> bytes:  # noqa: ARG002 - the protocol's signature
        """The bytes."""
        return self.data

    async def presentation(self, presentation_id: str) -> Presentation:
        """A film of one segment."""
        rung = Rendition("v720", "video", "avc1.64001f", 2_500_000, 2_000_000, 1000, (0, 2000), 1280, 720, 720, "24/1")
        return Presentation(presentation_id, new_id(), 2.0, (rung,))

    async def extra(self, _presentation_id: str, _name: str) -> bytes:
        """The bytes."""
        return self.data

    async def subtitle(self, _presentation_id: str, _track: str) -> bytes:
        """The bytes."""
        return self.data

    async def extras(self, _presentation_id: str) -> Extras:
        """Nothing beside the segments."""
        return Extras()

    async def authenticate(self, token: str) -> Principal:
        """Nobody signs in here."""
        raise NotAuthenticated(token)


async def serve(size: int) -> None:
    """Serve the media routes on a free port, printing the segment's address, until the process is ended."""
    segments = OneSegment(size)
    metrics = DeliveryMetrics(CollectorRegistry())
    tickets = Tickets(os.urandom(32), lifetime_seconds=3600)
    delivery = Delivery(
        tickets=tickets, segments=segments, presentations=segments, metrics=metrics, cache_bytes=100_000_000
    )
    application = build_application(
        routes(delivery, metrics, ()), Guard(segments, ""), RateLimits(on=False), secure_cookies=False
    )
    runner = web.AppRunner(application, handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    video_id, presentation_id = new_id(), os.urandom(16).hex()
    ticket = tickets.issue(session_id=new_id(), video_id=video_id, presentation_id=presentation_id, max_height=1080)
    print(f"http://127.0.0.1:{port}/media/{ticket}/{video_id}/{presentation_id}/v720/0.m4s", flush=True)
    await asyncio.Event().wait()


@contextmanager
def ottserver(size: int) -> Iterator[str]:
    """Our server on its processor; the segment's address."""
    command = [*_pinned(SERVING), sys.executable, __file__, "--serve", "--bytes", str(size)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline().strip() if process.stdout else ""
        if not line:
            sys.exit("ottserver did not start; see above.")
        yield line
    finally:
        _end(process)


@contextmanager
def nginx(size: int, folder: Path) -> Iterator[str]:
    """The system's nginx on the same processor; the segment's address."""
    www = folder / "www"
    www.mkdir()
    (www / "0.m4s").write_bytes(OneSegment(size).data)
    port = _free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, user=user))
    program = _program("nginx", "nginx")
    process = subprocess.Popen([*_pinned(SERVING), program, "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        yield f"http://127.0.0.1:{port}/0.m4s"
    finally:
        _end(process)


def requests_a_second(url: str, seconds: int) -> float:
    """What wrk counts in that time; anything but whole, good answers ends the benchmark."""
    command = [*_pinned(LOADING), _program("wrk", "wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=True)
    rate = re.search(r"Requests/sec:\s*([0-9.]+)", done.stdout)
    if rate is None or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        sys.exit(f"wrk saw failures:\n{done.stdout}")
    return float(rate[1])


def check(url: str, size: int) -> None:
    """Wait until the server answers with the right bytes."""
    deadline = time.monotonic() + START_SECONDS
    while (data := fetch(url)) is None:
        if time.monotonic() > deadline:
            sys.exit(f"No answer from {url[:40]} within {START_SECONDS:.0f} seconds.")
        time.sleep(0.05)
    if data != OneSegment(size).data:
        sys.exit("The server answers with other bytes.")


def fetch(url: str) -> bytes | None:
    """The body, or nothing while nobody listens there."""
    try:
        with urllib.request.urlopen(url, timeout=START_SECONDS) as response:  # noqa: S310 - loopback, our own address
            body: bytes = response.read()
            return body
    except OSError:
        return None


def compare(size: int, seconds: int, rounds: int) -> None:
    """Run the rounds and print what came out."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = {
            "ottserver": stack.enter_context(ottserver(size)),
            "nginx": stack.enter_context(nginx(size, folder)),
        }
        for url in servers.values():
            check(url, size)
            requests_a_second(url, 1)
        rates: dict[str, list[float]] = {name: [] for name in servers}
        for number in range(rounds):
            for name, url in servers.items():
                rates[name].append(requests_a_second(url, seconds))
            print(f"round {number + 1}: " + ", ".join(f"{name} {rates[name][-1]:,.0f}/s" for name in servers))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    print(f"\nOne segment of {size:,} bytes, {CONNECTIONS} connections, median of {rounds} rounds of {seconds} s:\n")
    print("| server | requests/s | Gbit/s |\n| --- | ---: | ---: |")
    for name, median in medians.items():
        print(f"| {name} | {median:,.0f} | {median * size * 8 / 1e9:.1f} |")
    print(f"\nottserver / nginx = {medians['ottserver'] / medians['nginx']:.2f}")


def _pinned(processor: int) -> list[str]:
    available = sorted(os.sched_getaffinity(0))
    return [_program("taskset", "util-linux"), "-c", str(available[processor % len(available)])]


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


def _end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> None:
    """Compare, or serve one side of the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bytes", type=int, default=400_000, help="size of the segment (400000)")
    parser.add_argument("--seconds", type=int, default=3, help="length of a round for each server (3)")
    parser.add_argument("--rounds", type=int, default=5, help="how many rounds (5)")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        uvloop.run(serve(arguments.bytes))
    else:
        compare(arguments.bytes, arguments.seconds, arguments.rounds)


if __name__ == "__main__":
    main()
