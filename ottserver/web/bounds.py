"""What connections may take of the server: how many there are, how long a head is awaited, how slow a body may flow.

aiohttp bounds lines, fields and idle time, but waits for ever for a head that trickles and for a client that does not
take its answer. One look at every connection every few seconds does: no timer for each, and nothing on the way of an
answer. Times are therefore a little longer than set.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import struct
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ottserver.web.clients import household, parse_address

if TYPE_CHECKING:
    from ottserver.web.clients import Proxies
    from ottserver.web.patient import BoundedConnection

log = logging.getLogger(__name__)

ROUND_SECONDS = 2.0
SLICE = 500
"""Connections looked at in one go, well below a millisecond."""
TRIED_FOR_ROOM = 64
LEFT_FOR_OTHERS = 512
"""File descriptors for the database, blobs and encoders."""
_BYTES_ACKED = 120
"""Where Linux has tcpi_bytes_acked in its struct tcp_info."""

_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds and bytes of one connection, and how many connections there may be."""

    connections: int = 20_000
    connections_per_address: int = 2_000
    keep_alive_seconds: float = 75.0
    """From one answer to the next request."""
    head_seconds: float = 20.0
    """From the opening of a connection, or a head's first byte, to its end."""
    patience_seconds: float = 60.0
    """Over how long the slowest pace is measured, of what is sent and of what is taken."""
    slowest_bytes_per_second: int = 1_000

    @property
    def least_bytes(self) -> float:
        """What must have moved when patience ends."""
        return self.patience_seconds * self.slowest_bytes_per_second


class Pace:
    """Whether something moves fast enough, looked at now and then."""

    __slots__ = ("_amount", "_since")

    def __init__(self) -> None:
        """Nothing moves yet."""
        self._since: float | None = None
        self._amount = 0

    def rest(self) -> None:
        """Nothing has to move at the moment."""
        self._since = None

    def too_slow(self, now: float, amount: int, bounds: Bounds) -> bool:
        """Whether too little has moved; `amount` is all bytes that ever did."""
        if self._since is None:
            self._since, self._amount = now, amount
        elif now - self._since >= bounds.patience_seconds:
            moved, self._since, self._amount = amount - self._amount, now, amount
            return moved < bounds.least_bytes
        return False


class Door:
    """Counts who is in, lets in who may come, and looks after those inside."""

    def __init__(self, bounds: Bounds, proxies: Proxies) -> None:
        """Connections of `proxies` and of this machine itself are not counted by address: many people come by them."""
        self.bounds = bounds
        self._proxies = proxies
        self._limit = allowed_connections(bounds.connections)
        self._inside: dict[BoundedConnection, str | None] = {}
        self._counts: Counter[str] = Counter()
        self._waiting: list[BoundedConnection] = []
        self._timer: asyncio.TimerHandle | None = None
        self._round = min(ROUND_SECONDS, bounds.head_seconds / 4, bounds.patience_seconds / 4)
        self._told_at = -60.0
        self.lingering = 0
        """Refused connections that are still open for their answer to be read."""

    def __len__(self) -> int:
        """How many are in."""
        return len(self._inside)

    def enter(self, connection: BoundedConnection, peer: str | None) -> str | None:
        """Let a connection in, or say in a sentence why not."""
        who = self._counted(peer)
        if who is not None and self._counts[who] >= self.bounds.connections_per_address:
            self._tell("an address has all the connections that it may have")
            return "Too many connections are open from your network; close some and try again."
        if len(self._inside) >= self._limit and not self._make_room():
            self._tell(f"all {self._limit} connections are in use")
            return "Every connection is in use; try again shortly."
        self._inside[connection] = who
        if who is not None:
            self._counts[who] += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._round, self._look)
        return None

    def leave(self, connection: BoundedConnection) -> None:
        """A connection has ended."""
        who = self._inside.pop(connection, None)
        if who is not None:
            self._counts[who] -= 1
            if not self._counts[who]:
                del self._counts[who]
        if not self._inside and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._waiting = []

    def _counted(self, peer: str | None) -> str | None:
        address = parse_address(peer or "")
        if address is None or address.is_loopback or self._proxies.trusts(str(address)):
            return None
        return household(str(address))

    def _make_room(self) -> bool:
        """End a connection on which nothing happens: its client opens another when it needs one."""
        for _ in range(min(TRIED_FOR_ROOM, len(self._inside))):
            connection = next(iter(self._inside))
            self._inside[connection] = self._inside.pop(connection)  # those tried before come last
            if connection.spare:
                connection.force_close()
                self.leave(connection)
                return True
        return False

    def _look(self) -> None:
        """Look at some connections; a round comes to all of them."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            self._waiting = list(self._inside)
        now = loop.time()
        some, self._waiting = self._waiting[:SLICE], self._waiting[SLICE:]
        for connection in some:
            connection.look(now)
        slices = max(1, -(-len(self._inside) // SLICE))
        self._timer = loop.call_later(self._round / slices, self._look) if self._inside else None

    def _tell(self, what: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._told_at >= 60:  # noqa: PLR2004 - seconds: one line a minute
            self._told_at = now
            log.warning("connections are refused: %s", what)


def allowed_connections(wanted: int) -> int:
    """How many of the wanted connections the file descriptors suffice for, after asking the system for as many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + LEFT_FOR_OTHERS
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max(soft // 2, soft - LEFT_FOR_OTHERS))


def taken_bytes(transport: asyncio.Transport) -> int | None:
    """Bytes that the other side has acknowledged, where the system counts them."""
    connection = transport.get_extra_info("socket")
    if connection is None or not hasattr(socket, "TCP_INFO"):
        return None
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED + 8)
    except OSError:
        return None
    return int(struct.unpack_from("=Q", info, _BYTES_ACKED)[0]) if len(info) >= _BYTES_ACKED + 8 else None


def cut_off(transport: asyncio.Transport) -> None:
    """End a connection with all that the system has still to send of it: it would go on as slowly, and hold memory."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
