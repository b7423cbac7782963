"""Clients that hardly read, or say nothing, while somebody watches a film."""

from __future__ import annotations

import resource
import selectors
import socket
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests

from tests.flows.people import FAST, eventually, new_owner
from tests.flows.screens import fetch, tracks
from tests.flows.uploads import add, uploaded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.conftest import StartServer
    from tests.flows.conftest import Cinema, StartQuick
    from tests.support.server import Server

PATIENCE = 3
SETTINGS = {
    "OTT_BILLING": "off",
    "OTT_WEB_HEAD_SECONDS": str(PATIENCE),
    "OTT_WEB_PATIENCE_SECONDS": str(PATIENCE),
}
PIPELINED = 64
"""Requests that a slow reader sends at once: far more bytes than the system's buffers take up."""
MEGABYTE = 1_000_000


def test_a_crowd_that_reads_nothing_or_says_nothing_harms_nobody(cinema: Cinema) -> None:
    cinema.owner.until(cinema.video_id, "playable", "complete")
    watched = tracks(cinema.owner.play(cinema.video_id)["manifest_url"])["480"]
    with _crowd(cinema.server, watched.segments[:3], 100):
        pass


@pytest.mark.slow
def test_a_large_crowd_is_cut_off_when_patience_ends(start_quick: StartQuick, scene: Path) -> None:
    server = start_quick(**SETTINGS)
    owner = new_owner(server)
    video_id = add(owner, uploaded(owner, scene.read_bytes()), "Scene")
    owner.until(video_id, "complete")
    watched = tracks(owner.play(video_id)["manifest_url"])["480"]
    before = memory(server)
    with _crowd(server, watched.segments, 1000) as (slow, silent):
        eventually(lambda: _ended(silent) == len(silent) or None, within=60)
        eventually(lambda: _reset(slow) == len(slow) or None, within=60)
        assert fetch(watched.segments[0]).status_code == 200
    assert memory(server) < before + _bearable(1000)
    assert requests.get(f"{server.url}/readyz", timeout=10).status_code == 200


@contextmanager
def _crowd(
    server: Server, segments: Sequence[str], many: int
) -> Iterator[tuple[list[socket.socket], list[socket.socket]]]:
    """So many of each kind, while a player gets every byte and the server's memory is looked at."""
    true = [fetch(url).content for url in segments]
    before = memory(server)
    with ExitStack() as crowd:
        slow = [crowd.enter_context(line) for line in _connected(server, many)]
        for line in slow:
            line.sendall(_get(segments[0]) * PIPELINED)
        silent = [crowd.enter_context(line) for line in _connected(server, many)]
        for _ in range(3):
            for line in slow:
                assert len(line.recv(1)) == 1
            assert [fetch(url).content for url in segments] == true
            assert memory(server) < before + _bearable(many)
        yield slow, silent


def _bearable(many: int) -> int:
    """Bytes for so many of each kind: what their requests take, and not the segment that each has asked for."""
    return 10 * MEGABYTE + many * 60_000


@pytest.mark.slow
def test_server_without_file_descriptors_left_goes_on_when_there_are_some(start_server: StartServer) -> None:
    server = start_server(**FAST, data=None)
    assert server.process is not None
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (100, 20_000))
    with ExitStack() as crowd:
        for line in _connected(server, 200):
            crowd.enter_context(line)
        time.sleep(0.5)
        assert server.process.poll() is None

    def healthy() -> bool | None:
        try:
            return requests.get(f"{server.url}/healthz", timeout=10).status_code == 200 or None
        except requests.ConnectionError:  # what came while there were none is closed
            return None

    eventually(healthy, within=20)


def _connected(server: Server, many: int) -> Iterator[socket.socket]:
    parts = urlsplit(server.url)
    for _ in range(many):
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.settimeout(30)
        line.connect((parts.hostname, parts.port))
        yield line


def _get(url: str) -> bytes:
    parts = urlsplit(url)
    return f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()


def _ended(lines: list[socket.socket]) -> int:
    """How many have been closed by the server, without a word."""
    with selectors.DefaultSelector() as selector:
        for line in lines:
            selector.register(line, selectors.EVENT_READ)
        return sum(
            key.fileobj.recv(1) == b"" for key, _ in selector.select(0) if isinstance(key.fileobj, socket.socket)
        )


def _reset(lines: list[socket.socket]) -> int:
    """How many the server has cut off, whatever is left to be read."""
    return sum(line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\x07" for line in lines)


def memory(server: Server) -> int:
    """Bytes that the serving process alone holds."""
    assert server.process is not None
    lines = Path(f"/proc/{server.process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Private_Dirty", "Private_Clean")))
