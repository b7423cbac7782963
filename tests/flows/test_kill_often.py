"""The server is killed at random points of encoding, again and again, while players fetch at random."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import requests

from ottserver.transcode.boxes import fragment, whole
from tests.flows.people import FAST, eventually, new_owner
from tests.flows.processes import children, until_no_child
from tests.flows.screens import Track, decoded_frames, tracks
from tests.flows.test_kill import pid_of
from tests.flows.uploads import add, uploaded
from tests.transcode.clips import Clip, Sound, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartServer
    from tests.flows.people import Person
    from tests.support.server import Server

KILLS = 5
ALL_KILLS = 200
KILLS_OF_ONE_FILM = 10
SEED = 20261124
SECONDS = 24
FILM = Clip("film.mp4", seconds=SECONDS, codec="mpeg4", options=(("g", "60"),), sounds=(Sound(),))
LONGEST_LIFE_SECONDS = 1.2
"""A film as small is encoded in about so long, so that a kill falls anywhere in it."""


@dataclass
class Viewer:
    """A player that jumps about, and looks closely at every segment that it is given."""

    places: dict[str, tuple[int, int]]
    """By address: the first tick and the number of samples, as the film's own arithmetic has them."""
    dice: random.Random
    seen: dict[str, str] = field(default_factory=dict)
    """By address, the digest of what was served."""
    wrong: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def fetch(self, url: str) -> bool:
        """Fetch a segment and judge it; whether one was served."""
        try:
            answer = requests.get(url, timeout=30)
        except requests.RequestException:
            # The server died under the request, or was not there.
            return False
        if answer.status_code in (503, 504):
            return False
        if answer.status_code != 200:
            self.wrong.append(f"{url}: {answer.status_code} {answer.text[:200]}")
            return False
        self.judge(url, answer.content)
        return True

    def judge(self, url: str, data: bytes) -> None:
        """Note what is wrong with a segment."""
        digest = hashlib.sha256(data).hexdigest()
        if not whole(data):
            self.wrong.append(f"{url}: half a segment of {len(data)} bytes")
            return
        found = fragment(data)
        if (found.start, found.samples) != self.places[url]:
            self.wrong.append(f"{url}: {found} instead of {self.places[url]}")
        if self.seen.setdefault(url, digest) != digest:
            self.wrong.append(f"{url}: other bytes than before")

    def watch(self) -> None:
        """Fetch at random until told to stop."""
        urls = list(self.places)
        while not self.over.is_set():
            if not self.fetch(self.dice.choice(urls)):
                time.sleep(0.02)


def places_of(pictures: Track, sound: Track) -> dict[str, tuple[int, int]]:
    """Where each segment begins and how many samples it has: 25 pictures a second, 1024 samples of sound at 48 kHz."""
    rate, frame, per = 25, 1024, 50
    count = len(pictures.segments)
    found = {}
    for index, url in enumerate(pictures.segments):
        end = SECONDS * rate if index == count - 1 else (index + 1) * per
        found[url] = (index * per * 1000, end - index * per)
    cuts = [int(index * per * 48000 / rate / frame + 0.5) for index in range(count)]
    cuts.append(-(-SECONDS * 48000 // frame))
    for index, url in enumerate(sound.segments):
        found[url] = (cuts[index] * frame, cuts[index + 1] - cuts[index])
    return found


def kill(server: Server, dice: random.Random) -> None:
    """Kill the server, sometimes with a worker before it; all its children go with it."""
    pid = pid_of(server)
    workers = children(pid, "ottserver.transcode.worker")
    if workers and dice.random() < 0.3:
        with contextlib.suppress(ProcessLookupError):
            os.kill(dice.choice(workers), signal.SIGKILL)
        time.sleep(dice.uniform(0, 0.3))
    server.kill()
    until_no_child(pid)


def one_film(server: Server, owner: Person, title: str, kills: int, dice: random.Random) -> tuple[int, int]:
    """Kill the server so often while the film is encoded; how often that was, and how many segments players saw."""
    video_id = add(owner, uploaded(owner, server.data.with_name(f"{title}.mp4").read_bytes()), title)
    owner.until(video_id, "playable", "complete")
    tracked = tracks(owner.play(video_id)["manifest_url"])
    viewer = Viewer(places_of(tracked["180"], tracked["audio"]), dice)
    players = [threading.Thread(target=viewer.watch) for _ in range(2)]
    for player in players:
        player.start()
    killed = 0
    try:
        while killed < kills:
            time.sleep(dice.uniform(0, LONGEST_LIFE_SECONDS))
            kill(server, dice)
            killed += 1
            server.start()
            assert viewer.wrong == []
            if owner.video(video_id)["status"] == "complete":
                break
    finally:
        viewer.over.set()
        for player in players:
            player.join()
    owner.until(video_id, "complete")
    for url in viewer.places:
        eventually(lambda url=url: viewer.fetch(url) or None)  # type: ignore[misc]
    assert viewer.wrong == []
    assert decoded_frames(tracked["180"]) == SECONDS * 25
    return killed, len(viewer.seen)


@pytest.mark.parametrize("kills", [KILLS, pytest.param(ALL_KILLS, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_no_kill_leaves_a_wrong_segment(
    start_server: StartServer, lowest_rung: Path, tmp_path: Path, kills: int, capsys: pytest.CaptureFixture[str]
) -> None:
    dice = random.Random(SEED)
    source = write(FILM, tmp_path)
    env = {**FAST, "OTT_ACCOUNTS_ACCESS_TOKEN_SECONDS": "86400"}
    server = start_server("--config", str(lowest_rung), data=None, **env)
    owner = new_owner(server)
    killed = films = judged = 0
    while killed < kills:
        # Other bytes are another film: what is made of one is not of use to the next.
        copy = tmp_path / f"film-{films}.mp4"
        copy.write_bytes(source.read_bytes() + b"\0\0\0\x0cfree%04d" % films)
        more, seen = one_film(server, owner, copy.stem, min(KILLS_OF_ONE_FILM, kills - killed), dice)
        killed, films, judged = killed + more, films + 1, judged + seen
    pid = pid_of(server)
    assert server.stop() == 0
    assert children(pid) == []
    with capsys.disabled():
        print(f"\nkilled {killed} times over {films} films; {judged} segments judged, none wrong")  # noqa: T201
