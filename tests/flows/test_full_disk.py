"""A disk that fills up under a running server: a real one, of a few megabytes in memory."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.flows.people import FAST, Person, eventually, new_owner
from tests.flows.screens import decoded_frames, fetch, tracks
from tests.flows.test_kill import FRAMES, ready
from tests.flows.uploads import TUS, add, begin, offset_of, send, uploaded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import StartServer

DISK_BYTES = 96 << 20
RESERVE_BYTES = 16 << 20


class Disk:
    """A file system of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, leaving: int) -> None:
        """Leave as many bytes as said, or all but none."""
        self._ballast.unlink(missing_ok=True)
        status = subprocess.run(
            ["df", "--output=avail", "-B1", self.folder], capture_output=True, text=True, check=True
        )
        rest = int(status.stdout.split()[-1]) - leaving
        with self._ballast.open("wb", buffering=0) as ballast:
            while rest > 0:
                try:
                    rest -= ballast.write(bytes(min(rest, 1 << 20)))
                except OSError:
                    return

    def relieve(self) -> None:
        """Make room again."""
        self._ballast.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def state_of(owner: Person) -> str:
    disk: str = owner.get("/readyz")["disk"]
    return disk


def test_full_disk_stops_what_can_wait_and_nothing_else(
    start_server: StartServer, disk: Disk, bbb_1080p: Path, scene: Path, lowest_rung: Path
) -> None:
    env = {**FAST, "OTT_STORAGE_RESERVE_BYTES": str(RESERVE_BYTES)}
    server = start_server("--config", str(lowest_rung), data=disk.folder / "data", **env)
    owner = new_owner(server)
    half = scene.read_bytes()
    unfinished = begin(owner, len(half))
    send(owner, unfinished, half[:1000])
    video_id = add(owner, uploaded(owner, bbb_1080p.read_bytes()), "Bunny")
    disk.fill(leaving=RESERVE_BYTES * 3 // 4)
    owner.until(video_id, "playable")
    play = owner.play(video_id)
    pictures = tracks(play["manifest_url"])["480"]
    eventually(lambda: True if state_of(owner) == "full" else None)
    assert "ott_disk_full 1.0" in fetch(f"{server.url}/metrics").text.splitlines()

    # Uploads and imports are refused in a sentence; what has arrived is kept.
    refused = owner.ask("POST", "uploads", 507, headers={**TUS, "Upload-Length": "5000000"})
    assert "disk" in refused.json()["detail"]
    assert "disk" in send(owner, unfinished, half[1000:], 507, offset=1000).json()["detail"]
    assert offset_of(owner, unfinished) == 1000
    imported = server.run("import", str(scene), check=False)
    assert imported.returncode == 1
    assert imported.stderr.startswith("ottserver: The server's disk is full")
    assert imported.stderr.count("\n") == 2

    # The background has stopped, and says why.
    paused = eventually(lambda: "encoding ahead of time waits for room" in server.log.read_text() or None)
    assert paused
    at = ready(owner, video_id)
    assert at < sum(rendition["total"] for rendition in owner.video(video_id)["renditions"])

    # Not one more byte can be stored: segments are made for players, and each only once.
    disk.fill(leaving=0)
    seen = {url: fetch(url) for url in pictures.segments[-4:]}
    assert {answer.status_code for answer in seen.values()} == {200}
    assert {url: fetch(url).content for url in seen} == {url: answer.content for url, answer in seen.items()}
    assert ready(owner, video_id) == at
    assert owner.get("/readyz")["status"] == "ready"

    # With room for what players wait for they are stored again; the background still waits.
    disk.fill(leaving=RESERVE_BYTES * 3 // 4)
    eventually(lambda: True if fetch(pictures.segments[5]).status_code == 200 else None)

    disk.relieve()
    owner.until(video_id, "complete")
    assert decoded_frames(pictures) == FRAMES
    for url, answer in seen.items():
        assert fetch(url).content == answer.content
    send(owner, unfinished, half[1000:], offset=1000)
    owner.until(add(owner, unfinished, "Scene"), "complete")
    assert state_of(owner) == "ok"
    assert json.loads(server.run("import", str(scene)).stdout)["status"] in ("playable", "complete")
    assert "Traceback" not in server.log.read_text()
