"""How many players one processor serves: simulated ones, paced as real ones are, against the whole server and nginx.

Each player keeps one connection and fetches segments of 1.25 MB that play for two seconds (5 Mbit/s): quickly until it
has a few ahead, then one whenever there is room. It seeks now and then (the line breaks off, what was ahead is lost),
ends after a while, and another begins. Time in which it should play and has nothing counts as rebuffering. Their
number is raised until that passes 0.1 % of the time watched. The servers are on one processor, all players in one loop
on the other: `recv` with MSG_TRUNC throws bytes away without copying them (tcp(7)). /healthz (of nginx: a small file),
asked twenty times a second beside the players, shows how long an event waits for its turn.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests

from scripts.benches._crowd import SIZE, Crowd
from scripts.benches.serve import EMAIL, LOADING, PASSWORD, SERVING, Side, nginx, ottserver

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL = 32_768
TOLERABLE = 0.001


def idle_bytes(side: Side, connections: int) -> float:
    """What the server's process grows by for a connection that has fetched something and waits, in bytes."""
    parts = urlsplit(side.urls[SMALL])
    request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.hostname}:{parts.port}\r\n\r\n".encode()
    lines: list[socket.socket] = []

    def more(number: int) -> None:
        for _ in range(number):
            line = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=10)
            lines.append(line)
            line.sendall(request)
            got = 0
            while got < SMALL:
                got += len(line.recv(65536))

    more(200)
    before = _resident(side.pid)
    more(connections)
    after = _resident(side.pid)
    for line in lines:
        line.close()
    return (after - before) / connections


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def _quantiles(values: list[float]) -> str:
    if not values[1:]:
        return "-"
    cut = statistics.quantiles(values, n=100)
    return f"{cut[49] * 1e3:.1f} / {cut[98] * 1e3:.1f}"


def raise_players(name: str, side: Side, stages: list[int], seconds: float, every: float) -> None:
    """Print a line for each number of players, until they wait for their film."""
    beat = _beat(side) if name == "ottserver" else None
    crowd = Crowd(side, beat, every)
    try:
        for players in stages:
            before, began = side_seconds(side.pid), time.monotonic()
            own = time.process_time()
            stage = crowd.open_stage(players, 8.0, seconds)
            busy = (side_seconds(side.pid) - before) / (time.monotonic() - began)
            load = (time.process_time() - own) / (time.monotonic() - began)
            share = stage.stalled / stage.watched
            rate = stage.segments * SIZE * 8 / seconds / 1e9
            print(
                f"| {name} | {players:,} | {rate:.1f} | {share:.3%} | {_quantiles(stage.first_bytes)} | "
                f"{_quantiles(stage.probes)} | {stage.broken} | {busy:.0%} | {load:.0%} |",
                flush=True,
            )
            if share > TOLERABLE:
                return
    finally:
        crowd.close()


def _beat(side: Side) -> Callable[[], bytes]:
    parts = urlsplit(side.urls[SIZE])
    url = f"http://{parts.netloc}/api/v1"
    token = requests.post(f"{url}/login", json={"email": EMAIL, "password": PASSWORD}, timeout=10).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    session = requests.get(f"{url}/play/{parts.path.split('/')[3]}", headers=headers, timeout=10).json()["session_id"]
    body = json.dumps({"position": 6.5, "state": "playing"})

    def request() -> bytes:
        return (
            f"POST /api/v1/playback/{session}/heartbeat HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    return request


def side_seconds(pid: int) -> float:
    """Processor time that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--players", type=int, nargs="+", default=[1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000])
    parser.add_argument("--seconds", type=float, default=10, help="how long each number is looked at (10)")
    parser.add_argument("--heartbeats", type=float, default=0, help="seconds between two of one player; 0: none (0)")
    parser.add_argument("--only", choices=["ottserver", "nginx"], help="one of the two alone")
    given = parser.parse_args()
    available = sorted(os.sched_getaffinity(0))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = stack.enter_context(
            ottserver(folder, OTT_WEB_CONNECTIONS="20000", OTT_WEB_CONNECTIONS_PER_ADDRESS="20000")
        )
        sides = {"ottserver": ours, "nginx": stack.enter_context(nginx(folder, ours.bodies))}
        os.sched_setaffinity(0, {available[LOADING % len(available)]})
        for name, side in sides.items():  # first, before anything was used that could be used again
            if given.only in (None, name):
                print(f"{name}: {idle_bytes(side, 1500) / 1024:.1f} KB for each idle connection", flush=True)
        print(f"\nServer on processor {SERVING}, players on {LOADING}. Milliseconds are p50 / p99.\n")
        print("| | players | Gbit/s | rebuffering | first byte, ms | small call, ms | broken off | server | players |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        for name, side in sides.items():
            if given.only in (None, name):
                raise_players(name, side, given.players, given.seconds, given.heartbeats)


if __name__ == "__main__":
    main()
