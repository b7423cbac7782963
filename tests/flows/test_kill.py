from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.flows.people import Listener, Person, eventually, new_owner
from tests.flows.processes import children, until_no_child
from tests.flows.screens import decoded_frames, fetch, manifests, tracks
from tests.flows.uploads import TUS, add, begin, offset_of, uploaded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.conftest import StartQuick
    from tests.support.server import Server

FRAMES = 720


def ready(person: Person, video_id: str) -> int:
    """How many segments of the film exist."""
    return sum(rendition["ready"] for rendition in person.video(video_id)["renditions"])


def pid_of(server: Server) -> int:
    """The id of the running server."""
    assert server.process is not None
    return server.process.pid


def kill_and_restart(server: Server) -> None:
    """A power cut of the serving process; its children notice by themselves."""
    pid = pid_of(server)
    server.kill()
    until_no_child(pid)
    server.start()


def watch(urls: tuple[str, ...]) -> list[int]:
    """Fetch segments one after the other, going on after a break as players do; the sizes of their bodies."""
    sizes = []
    for url in urls:

        def once(url: str = url) -> int | None:
            try:
                answer = fetch(url)
            except OSError:
                return None
            assert answer.status_code in (200, 503), answer.text[:500]
            return len(answer.content) if answer.status_code == 200 else None

        sizes.append(eventually(once, within=60))
    return sizes


def test_film_comes_through_whatever_is_killed(start_quick: StartQuick, bbb_1080p: Path) -> None:
    server = start_quick()
    owner = new_owner(server)
    video_id = add(owner, uploaded(owner, bbb_1080p.read_bytes()), "Bunny")

    # Right after the upload's end: its bytes wait to be hashed and probed.
    kill_and_restart(server)
    assert owner.video(video_id)["status"] in ("probing", "playable")

    # In the middle of the probe, unless the film has slipped through it already.
    def probed() -> bool | None:
        probing = children(pid_of(server), "ottserver.ingest.probe")
        return True if probing or owner.video(video_id)["status"] != "probing" else None

    eventually(probed, every=0.005)
    kill_and_restart(server)

    # In the middle of encoding.
    owner.until(video_id, "playable")
    play = owner.play(video_id)
    before = manifests(play["manifest_url"], play["dash_url"])
    pictures = tracks(play["manifest_url"])["480"]
    eventually(lambda: ready(owner, video_id) >= 3 or None)
    etag = fetch(pictures.segments[0]).headers["ETag"]
    kill_and_restart(server)
    assert manifests(play["manifest_url"], play["dash_url"]) == before
    assert fetch(pictures.segments[0]).headers["ETag"] == etag

    # While a player watches.
    with ThreadPoolExecutor(1) as player:
        watched = player.submit(watch, pictures.segments)
        at = ready(owner, video_id)
        eventually(lambda: at < ready(owner, video_id) or watched.done() or None)
        kill_and_restart(server)
        sizes = watched.result()
    assert len(sizes) == 15

    owner.until(video_id, "complete")
    assert sizes == [int(fetch(url, method="HEAD").headers["Content-Length"]) for url in pictures.segments]
    assert manifests(play["manifest_url"], play["dash_url"]) == before
    assert decoded_frames(pictures) == FRAMES
    beat = {"position": 30.0, "state": "ended"}
    assert owner.post(f"playback/{play['session_id']}/heartbeat", beat)["saved"]
    assert [video["video_id"] for video in owner.get("admin/videos")["results"]] == [video_id]
    (row,) = [row for row in owner.get("home")["rows"] if row["id"] == "new"]
    assert [item["video_id"] for item in row["items"]] == [video_id]
    assert len(list((server.data / "blobs/sources").rglob("*/*"))) == 1
    pid = pid_of(server)
    assert children(pid)
    assert server.stop() == 0
    assert children(pid) == []


def test_told_to_stop_it_finishes_what_it_is_sending(start_quick: StartQuick, bbb_1080p: Path) -> None:
    server = start_quick()
    owner = new_owner(server)
    video_id = add(owner, uploaded(owner, bbb_1080p.read_bytes()), "Bunny")
    owner.until(video_id, "playable", "complete")
    pictures = tracks(owner.play(video_id)["manifest_url"])["480"]
    listener = Listener(owner)
    stalled = begin(owner, 1000)
    pid = pid_of(server)
    head = {**owner.headers, **TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    with half_a_request(server, "PATCH", f"/api/v1/uploads/{stalled}", {**head, "Content-Length": "1000"}) as uploader:
        uploader.sendall(b"x" * 500)
        eventually(lambda: offset_of(owner, stalled) == 500 or None)
        with half_a_request(server, "GET", urlsplit(pictures.segments[-1]).path, {}) as player:
            assert owner.get("/healthz")
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 15
            status, body = answer_on(player)
    assert status == 200
    assert listener.ended(within=5)
    assert children(pid) == []
    server.start()
    assert offset_of(owner, stalled) == 500
    assert fetch(pictures.segments[-1]).content == body


def half_a_request(server: Server, method: str, path: str, headers: dict[str, str]) -> socket.socket:
    """A connection on which a request's head has been sent."""
    address = urlsplit(server.url)
    connection = socket.create_connection((address.hostname, address.port), timeout=30)
    fields = {"Host": address.netloc, "Connection": "close", **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    connection.sendall("\r\n".join(lines).encode())
    return connection


def answer_on(connection: socket.socket) -> tuple[int, bytes]:
    """Status and whole body of the answer on a connection that is closed after it."""
    with HTTPResponse(connection) as answer:
        answer.begin()
        return answer.status, answer.read()
