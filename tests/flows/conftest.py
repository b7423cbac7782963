"""What flows share: one cinema with one film, and pieces of that film."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import av
import pytest

from tests.flows.people import FAST, Listener, Person, new_owner
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import StartServer

LOWEST_RUNG = """
[transcode]
segment_seconds = [2.0]
preset = "ultrafast"
ladder = [{ name = "v480", width = 854, height = 480, maxrate = 800_000, crf = 23 }]
"""


@dataclass(frozen=True)
class Cinema:
    """A server with an owner, to which the real film was imported while it ran."""

    server: Server
    owner: Person
    video_id: str
    listener: Listener
    """Has had the event stream open since before the import."""


@pytest.fixture(scope="session")
def cinema(tmp_path_factory: pytest.TempPathFactory, bbb_1080p: Path) -> Iterator[Cinema]:
    """Shared: do not stop the server, and name what you make so that it is yours."""
    server = Server(tmp_path_factory.mktemp("cinema") / "data", env=FAST)
    try:
        server.start()
        owner = new_owner(server)
        listener = Listener(owner)
        done = server.run("import", str(bbb_1080p), "--title", "Big Buck Bunny")
        yield Cinema(server, owner, json.loads(done.stdout)["video_id"], listener)
    finally:
        server.close()


class StartQuick(Protocol):
    """Starts a server as `StartServer` does, one that hashes and encodes quickly, and the 480p rung alone."""

    def __call__(self, **env: str) -> Server:
        """The started server."""
        ...


@pytest.fixture
def start_quick(start_server: StartServer, lowest_rung: Path) -> StartQuick:
    """For flows that kill, restart or configure their server, and in which the pictures' size does not matter."""

    def start(**env: str) -> Server:
        return start_server("--config", str(lowest_rung), data=None, **{**FAST, **env})

    return start


@pytest.fixture(scope="session")
def lowest_rung(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of settings with the 480p rung alone, for flows in which the pictures' size does not matter."""
    path = tmp_path_factory.mktemp("settings") / "lowest.toml"
    path.write_text(LOWEST_RUNG)
    return path


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory, bbb_1080p: Path) -> Path:
    """The film's first 4 seconds, packets copied: 1080p with sound, about 3 MB."""
    path = tmp_path_factory.mktemp("scene") / "scene.mp4"
    with av.open(str(bbb_1080p)) as film, av.open(str(path), "w") as cut:
        streams = [film.streams.video[0], film.streams.audio[0]]
        copies = {stream.index: cut.add_stream_from_template(stream) for stream in streams}
        for packet in film.demux(streams):
            if packet.dts is not None and packet.pts is not None and packet.pts * packet.time_base < 4:
                packet.stream = copies[packet.stream.index]
                cut.mux(packet)
    return path
