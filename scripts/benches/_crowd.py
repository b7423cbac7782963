"""Simulated players, paced as real ones are, all in one loop."""

from __future__ import annotations

import heapq
import random
import select
import socket
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts.benches.serve import Side

SIZE, SECONDS = 1_250_000, 2.0
"""Bytes of a segment, and for how long it plays."""
AHEAD = 8.0
"""Seconds of film that a player keeps ahead."""
SEEK_EVERY, END_AFTER = 60.0, 180.0
"""Seconds on average."""
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
