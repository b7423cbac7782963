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
import heapq
import json
import os
import random
import resource
import select
import socket
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests

from scripts.benches.serve import EMAIL, LOADING, PASSWORD, SERVING, Side, nginx, ottserver

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE, SECONDS = 1_250_000, 2.0
"""Bytes of a segment, and for how long it plays."""
SMALL = 32_768
AHEAD = 8.0
"""Seconds of film that a player keeps ahead."""
SEEK_EVERY, END_AFTER = 60.0, 180.0
"""Seconds on average."""
TOLERABLE = 0.001
HEAD = 4096
_SCRAP = bytearray(8 << 20)


@dataclass(slots=True)
class Stage:
    """What was seen with one number of players."""

    players: int
    first_bytes: list[float] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)
    beats: list[float] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    watched: float = 0.0
    stalled: float = 0.0
    segments: int = 0
    broken: int = 0
    """Connections that the server ended."""


class Player:
    """One player and its connection."""

    __slots__ = ("asked_at", "line", "plays_until", "remaining")

    def __init__(self) -> None:
        """Nothing yet: it begins when it is told."""
        self.line: socket.socket | None = None
        self.remaining = -1
        """Bytes of the answer that are still to come; -1 before its head, 0 when nothing is under way."""
        self.asked_at = 0.0
        self.plays_until = 0.0
        """Until when it has film; 0 before the first segment."""


class Crowd:
    """All players, in one loop."""

    def __init__(self, side: Side, beat: Callable[[], bytes] | None, every: float) -> None:
        """Fetch from `side`; each player sends what `beat` gives `every` seconds."""
        parts = urlsplit(side.urls[SIZE])
        self._place = (parts.hostname or "", parts.port or 80)
        host = f"{parts.hostname}:{parts.port}"
        self._request = (
            f"GET {parts.path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n".encode()
        )
        health = "/healthz" if beat else "/32768.m4s"
        self._probe = f"HEAD {health} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self._beat, self._every = beat, every
        self._poll = select.epoll()
        self._by_line: dict[int, Player] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._players: list[Player] = []
        self._random = random.Random(7)  # noqa: S311 - the same crowd for both servers
        self._unsent: dict[int, tuple[socket.socket, bytes]] = {}
        self._probe_line = self._connect()
        self._beat_line = self._connect() if beat and every else None
        self._asked: dict[int, float] = {}
        self.stage = Stage(0)

    def _connect(self) -> socket.socket:
        """A line that may not be open yet: nobody here waits for it."""
        line = socket.socket()
        line.setblocking(False)  # noqa: FBT003 - the socket's own signature
        line.connect_ex(self._place)
        self._poll.register(line, select.EPOLLOUT)
        return line

    def _send(self, line: socket.socket, request: bytes) -> None:
        """Ask now, or as soon as the line is open."""
        try:
            line.send(request)
        except BlockingIOError:
            self._unsent[line.fileno()] = (line, request)
            self._poll.modify(line, select.EPOLLOUT)
        else:
            self._poll.modify(line, select.EPOLLIN)

    def _at(self, moment: float, call: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._due, (moment, self._count, call))

    def join(self, number: int, within: float) -> None:
        """Let so many more players begin, spread over `within` seconds."""
        now = time.monotonic()
        for index in range(number):
            player = Player()
            self._players.append(player)
            self._at(now + within * index / number, partial(self._begin, player))

    def _begin(self, player: Player) -> None:
        self._open(player)
        self._ask(player)
        now = time.monotonic()
        self._at(now + self._random.expovariate(1 / SEEK_EVERY), lambda: self._seek(player))

    def _open(self, player: Player) -> None:
        if player.line is not None:
            del self._by_line[player.line.fileno()]
            self._unsent.pop(player.line.fileno(), None)
            self._poll.unregister(player.line)
            player.line.close()
        player.line = self._connect()
        self._by_line[player.line.fileno()] = player

    def _seek(self, player: Player) -> None:
        """Somewhere else in the film, or an end and another player's beginning: the same on the line."""
        now = time.monotonic()
        self._tell(player, now)
        player.plays_until = 0.0
        self._open(player)
        self._ask(player)
        self._at(now + self._random.expovariate(1 / SEEK_EVERY + 1 / END_AFTER), lambda: self._seek(player))

    def _ask(self, player: Player) -> None:
        player.remaining = -1
        player.asked_at = time.monotonic()
        if player.line is not None:
            self._send(player.line, self._request)

    def _came(self, player: Player) -> None:
        """A whole segment is there."""
        now = time.monotonic()
        self.stage.segments += 1
        if not player.plays_until:
            self.stage.starts.append(now - player.asked_at)
            player.plays_until = now + SECONDS
        else:
            if now > player.plays_until:
                self.stage.stalled += now - max(player.plays_until, self._since)
                player.plays_until = now
            player.plays_until += SECONDS
        room = player.plays_until - AHEAD
        if room <= now:
            self._ask(player)
        else:
            player.remaining = 0
            line = player.line
            self._at(room, lambda: self._go_on(player, line))

    def _go_on(self, player: Player, line: socket.socket | None) -> None:
        """Ask for the next segment, unless the player has gone elsewhere meanwhile."""
        if player.line is line and player.remaining == 0:
            self._ask(player)

    def _tell(self, player: Player, now: float) -> None:
        """Count a stall that is not over."""
        if player.plays_until and now > player.plays_until:
            self.stage.stalled += now - max(player.plays_until, self._since)
            player.plays_until = now

    def _ready(self, player: Player) -> None:
        line = player.line
        if line is None:
            return
        try:
            if player.remaining < 0:
                data = line.recv(HEAD)
                if not data:
                    raise ConnectionResetError
                self.stage.first_bytes.append(time.monotonic() - player.asked_at)
                end = data.find(b"\r\n\r\n")
                if not data.startswith(b"HTTP/1.1 200") or end < 0:
                    sys.exit(f"A player was answered: {data[:300]!r}")
                player.remaining = SIZE - (len(data) - end - 4)
                return
            got = line.recv_into(_SCRAP, min(len(_SCRAP), player.remaining), socket.MSG_TRUNC)
        except BlockingIOError:
            return
        except ConnectionResetError:
            got = 0
        if not got:
            self.stage.broken += 1
            self._open(player)
            self._ask(player)
            return
        player.remaining -= got
        if not player.remaining:
            self._came(player)

    def _tick(self, line: socket.socket, request: bytes, every: float) -> None:
        """Ask again and again on a line beside the players'; not while an answer is awaited."""
        now = time.monotonic()
        if line.fileno() not in self._asked:
            self._asked[line.fileno()] = now
            self._send(line, request)
        self._at(now + every, lambda: self._tick(line, request, every))

    def _answered(self, line: socket.socket, into: list[float]) -> None:
        data = line.recv(65536)
        if not data.startswith((b"HTTP/1.1 200", b"HTTP/1.1 2")):
            sys.exit(f"A call beside the players was answered: {data[:300]!r}")
        into.append(time.monotonic() - self._asked.pop(line.fileno()))

    def run(self, seconds: float) -> None:
        """Let everything go on for that long."""
        until = time.monotonic() + seconds
        probe = self._probe_line.fileno()
        while (now := time.monotonic()) < until:
            while self._due and self._due[0][0] <= now:
                heapq.heappop(self._due)[2]()
            wait = max(0.0, min(until, self._due[0][0] if self._due else until) - time.monotonic())
            for number, event in self._poll.poll(wait):
                if number in self._unsent:
                    self._send(*self._unsent.pop(number))
                elif not event & select.EPOLLIN:
                    continue
                elif player := self._by_line.get(number):
                    self._ready(player)
                elif number == probe:
                    self._answered(self._probe_line, self.stage.probes)
                elif self._beat_line is not None:
                    self._answered(self._beat_line, self.stage.beats)

    def open_stage(self, players: int, ramp: float, seconds: float) -> Stage:
        """Raise the number, wait until all have begun, and look for that long."""
        if not self.stage.players:
            self._tick(self._probe_line, self._probe, 0.05)
        self._since = time.monotonic()
        self.join(players - len(self._players), ramp)
        self.stage = Stage(players)
        self.run(ramp + AHEAD)
        self.stage = Stage(players)
        self._since = time.monotonic()
        if self._beat and self._beat_line:
            self._tick(self._beat_line, self._beat(), self._every / players)
        self.run(seconds)
        now = time.monotonic()
        for player in self._players:
            self._tell(player, now)
        self.stage.watched = players * (now - self._since)
        return self.stage

    def close(self) -> None:
        """Hang up."""
        for line in (self._probe_line, self._beat_line, *(player.line for player in self._players)):
            if line is not None:
                line.close()
        self._poll.close()


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
