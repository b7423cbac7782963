"""Debian's nginx in front of the real program, with the configuration that we ship."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests

from tests.flows.people import FAST, PASSWORD, Person, assert_problem, eventually, new_member, new_owner
from tests.flows.screens import Track, fetch, tracks
from tests.flows.test_kill import half_a_request
from tests.flows.uploads import TUS, add, begin, offset_of, uploaded
from tests.support.nginx import Nginx, certificate, program
from tests.support.server import Server
from tests.transcode.clips import Clip, Sound, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


SMALL = {
    "id": "small",
    "name": "Small",
    "price": 1,
    "currency": "INR",
    "quality": "144p",
    "max_height": 144,
    "screens": 5,
}
LADDER = [
    {"name": "v144", "width": 256, "height": 144, "maxrate": 100_000, "crf": 30},
    {"name": "v240", "width": 426, "height": 240, "maxrate": 300_000, "crf": 30},
]
SETTINGS = {
    **FAST,
    "OTT_PLANS": json.dumps([SMALL]),
    "OTT_HOUSE_PLAN": "small",
    "OTT_BILLING": "off",
    "OTT_WEB_TRUSTED_PROXIES": "127.0.0.1",
    "OTT_TRANSCODE_LADDER": json.dumps(LADDER),
}


@dataclass(frozen=True)
class Front:
    """A server with a short film in 144p and 240p, nginx before it, and people who know only nginx."""

    server: Server
    nginx: Nginx
    owner: Person
    member: Person
    """Whose plan ends at 144p."""
    video_id: str

    def direct(self, url: str) -> str:
        """The same address at the server behind."""
        return self.server.url + urlsplit(url).path

    def counted(self, name: str) -> float:
        """What the server behind has counted, over all labels."""
        lines = requests.get(f"{self.server.url}/metrics", timeout=10).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """One for all tests of this module; whoever stops the server starts it again."""
    if not program():
        pytest.skip("no nginx on this machine: scripts/test installs it as root, or: apt-get install nginx")
    folder = tmp_path_factory.mktemp("front")
    film = write(Clip("film.mp4", size=(426, 240), sounds=(Sound(),)), folder)
    server = Server(folder / "data", env=SETTINGS)
    edge = folder / "edge"
    edge.mkdir()
    nginx = Nginx(edge, "")
    try:
        server.start()
        nginx.origin = urlsplit(server.url).netloc
        nginx.start()
        owner = replace(new_owner(server), url=nginx.url)
        member = new_member(nginx.url, "basil@example.org")
        front = Front(server, nginx, owner, member, add(owner, uploaded(owner, film.read_bytes()), "Numbers"))
        owner.until(front.video_id, "playable", "complete")
        yield front
    finally:
        nginx.stop()
        server.close()


@pytest.fixture(scope="module")
def url(front: Front) -> str:
    """A segment of a session that nobody ends."""
    return tracks(front.owner.play(front.video_id)["manifest_url"])["144"].segments[0]


def whole(track: Track) -> list[str]:
    """Every file of a rendition."""
    return [track.init, *track.segments]


def cached(answer: requests.Response) -> str:
    """What nginx says of its cache."""
    return answer.headers["X-Cache"]


def test_a_second_viewer_is_served_without_the_server_behind(front: Front) -> None:
    first = front.owner.play(front.video_id)
    found = [url for track in tracks(first["manifest_url"]).values() for url in whole(track)]
    for url in found:
        answer = fetch(url)
        assert answer.status_code == 200
        assert answer.content == fetch(front.direct(url)).content
    second = front.owner.play(front.video_id)
    sent = front.counted('ott_delivery_bytes_total{kind="segment"}')
    again = [url for track in tracks(second["manifest_url"]).values() for url in whole(track)]
    assert [cached(fetch(url)) for url in again] == ["HIT"] * len(found)
    assert front.counted('ott_delivery_bytes_total{kind="segment"}') == sent
    # What was true of the first answer alone is not told to those who come later.
    one, other = fetch(again[0]), fetch(again[0])
    assert one.headers["X-Request-Id"] != other.headers["X-Request-Id"]
    assert "CMSD-Dynamic" not in one.headers
    assert one.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_many_who_miss_at_once_cost_one_fetch(front: Front) -> None:
    url = tracks(front.owner.play(front.video_id)["manifest_url"])["audio"].init + "?CMCD=bl%3D100"
    for path in front.nginx.folder.glob("cache-segments/*/*/*"):
        path.unlink()
    before = front.counted("ott_edge_requests_total")
    with ThreadPoolExecutor(20) as crowd:
        answers = list(crowd.map(fetch, [url] * 20))
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(cached(answer) for answer in answers).count("MISS") == 1
    assert front.counted("ott_edge_requests_total") == before + 1


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 200),
        ("HEAD", {}, 200),
        ("HEAD", {"Range": "bytes=0-1"}, 200),
        ("GET", {"Range": "bytes=2-5"}, 206),
        ("GET", {"Range": "bytes=100-"}, 206),
        ("GET", {"Range": "bytes=-7"}, 206),
        ("GET", {"Range": "bytes=0-999999999"}, 206),
        ("GET", {"Range": "bytes=0-1,4-5"}, 200),
        ("GET", {"Range": "lines=0-1"}, 200),
        ("GET", {"Range": "bytes=999999999-"}, 416),
        ("GET", {"If-None-Match": "TAG"}, 304),
        ("GET", {"If-None-Match": 'W/"x", TAG'}, 304),
        ("GET", {"If-None-Match": "*"}, 304),
        ("GET", {"If-None-Match": '"x"'}, 200),
        ("GET", {"If-Range": "TAG", "Range": "bytes=0-1"}, 206),
        ("GET", {"If-Range": '"x"', "Range": "bytes=0-1"}, 200),
        ("GET", {"If-Match": '"x"'}, 412),
        ("POST", {}, 405),
        ("OPTIONS", {}, 204),
    ],
)
def test_a_kept_segment_is_answered_as_the_server_behind_does(
    front: Front, url: str, method: str, headers: dict[str, str], status: int
) -> None:
    tag = fetch(url).headers["ETag"]
    fields = {name: value.replace("TAG", tag) for name, value in headers.items()}
    kept, own = (requests.request(method, one, headers=fields, timeout=10) for one in (url, front.direct(url)))
    assert kept.status_code == own.status_code == status
    # With its own 416 nginx goes on saying how long the bytes may be kept.
    for name in ("Content-Range", "Allow", *(("Cache-Control", "ETag") if status != 416 else ())):
        assert kept.headers.get(name) == own.headers.get(name), name
    if status < 400:
        assert status != 200 or kept.headers["Accept-Ranges"] == "bytes"
        assert kept.headers.get("Content-Type") == own.headers.get("Content-Type")
        assert kept.headers.get("Content-Length") == own.headers.get("Content-Length")
        assert kept.content == own.content
    else:
        assert_problem(kept)


def test_nothing_is_opened_by_a_ticket_that_does_not_open_it(front: Front) -> None:
    rich = tracks(front.owner.play(front.video_id)["manifest_url"])
    for track in rich.values():
        for url in whole(track):
            fetch(url)
    play = front.member.play(front.video_id)
    poor = tracks(play["manifest_url"])
    assert set(poor) == {"144", "audio"}
    kept = poor["144"].segments[0]
    assert cached(fetch(kept)) == "HIT"
    ticket, video_id, presentation_id, rendition, name = urlsplit(kept).path.split("/")[2:]
    above = urlsplit(rich["240"].segments[0]).path.split("/")[-2]
    other_id = video_id[:-1] + ("0" if video_id[-1] != "0" else "1")
    forged = ticket[:-1] + ("A" if ticket[-1] != "A" else "B")
    for address, status in {
        f"{forged}/{video_id}/{presentation_id}/{rendition}/{name}": 403,
        f"{ticket[:60]}/{video_id}/{presentation_id}/{rendition}/{name}": 403,
        f"{ticket}/{presentation_id}/{presentation_id}/{rendition}/{name}": 403,
        f"{ticket}/{other_id}/{presentation_id}/{rendition}/{name}": 403,
        f"{ticket}/{video_id}/{'0' * 32}/{rendition}/{name}": 403,
        f"{ticket}/{video_id}/{presentation_id}/{above}/{name}": 403,
        f"{ticket}/{video_id}/{presentation_id}/{above}/{name}?{rendition}/": 403,
        f"{ticket}/{video_id}/{presentation_id}/{above}/init.mp4": 403,
        f"{ticket}/{video_id}/{presentation_id}/{above}/media.m3u8": 403,
        f"{ticket}/{video_id}/{presentation_id}/{rendition}/../{above}/{name}": 404,
        f"{ticket}/{video_id}/{presentation_id}/{rendition}/%2e%2e/{above}/{name}": 404,
        f"{ticket}/{video_id}/{presentation_id}//{above}/{name}": 404,
        f"{ticket}/{video_id}/{presentation_id}/{above.replace('v', '%76')}/{name}": 404,
        f"{ticket}/{video_id}/{presentation_id}/{rendition}/999.m4s": 404,
    }.items():
        answer = front_raw(front, f"/media/{address}")
        assert answer.startswith(f"HTTP/1.1 {status} "), (address, answer[:200])
        assert "application/problem+json" in answer, address
        assert "no-store" in answer, address
        assert front_raw(front, f"/media/{address}").startswith(f"HTTP/1.1 {status} ")
    assert cached(fetch(kept)) == "HIT"


def front_raw(front: Front, target: str) -> str:
    """What nginx answers an address that is sent exactly so."""
    with half_a_request(replace(front.server, url=front.nginx.url), "GET", target, {}) as connection:
        answer = b""
        while block := connection.recv(65536):
            answer += block
    return answer.decode("latin-1")


def test_a_film_goes_on_while_the_server_behind_is_dead_but_not_for_a_session_that_was_ended(front: Front) -> None:
    play, ended = front.owner.play(front.video_id), front.owner.play(front.video_id)
    other = tracks(front.owner.play(front.video_id)["manifest_url"])
    for track in other.values():
        for url in whole(track):
            fetch(url)
    # This one has only begun with 144p when the server dies.
    begun = tracks(play["manifest_url"])["144"]
    fetch(begun.segments[0])
    gone = tracks(ended["manifest_url"])["144"]
    fetch(gone.init)
    poor = tracks(front.member.play(front.video_id)["manifest_url"])["144"].init
    assert fetch(poor).status_code == 200
    above = poor.replace("/v144/", "/v240/")
    front.owner.ask("DELETE", f"playback/{ended['session_id']}", 204)
    time.sleep(2)  # by then everybody has heard of it
    answer = fetch(gone.init)
    assert answer.status_code == 403
    assert_problem(answer)
    for path in list(front.nginx.folder.glob("cache-segments/*/*/*")):
        if f"KEY: {'/'.join(urlsplit(begun.init).path.split('/')[-3:])}".encode() in path.read_bytes()[:1000]:
            path.unlink()

    front.server.kill()
    time.sleep(2)  # nothing that was asked a moment ago is fresh any more
    for track in tracks(play["manifest_url"]).values():
        for url in track.segments:
            assert fetch(url).status_code == 200
    assert fetch(gone.segments[0]).status_code in (403, 503)
    for url in (above, begun.init, front.nginx.url, begun.segments[0].replace("/media/", "/media/A")):
        answer = fetch(url)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "2"
        assert_problem(answer)

    front.server.start()
    assert eventually(lambda: (fetch(begun.init).status_code == 200) or None)
    new_sessions_begin(front)
    assert fetch(gone.segments[0]).status_code == 403


def new_sessions_begin(front: Front) -> None:
    """Wait until nginx asks the server behind again; it leaves it alone for a moment after failures."""
    play = front.owner.play(front.video_id)
    eventually(lambda: fetch(play["manifest_url"]).status_code == 200 or None)


@pytest.mark.slow
def test_a_film_goes_on_while_the_server_behind_hangs(front: Front, tmp_path: Path) -> None:
    assert front.server.process is not None
    nginx = Nginx(tmp_path, front.nginx.origin, patient=False).start()
    try:
        chosen = tracks(front.owner.play(front.video_id)["manifest_url"].replace(front.nginx.url, nginx.url))["144"]
        assert [fetch(url).status_code for url in whole(chosen)] == [200] * len(whole(chosen))
        front.server.process.send_signal(signal.SIGSTOP)
        time.sleep(2)
        assert [fetch(url).status_code for url in whole(chosen)] == [200] * len(whole(chosen))
    finally:
        front.server.process.send_signal(signal.SIGCONT)
        nginx.stop()


def test_uploads_arrive_as_they_are_sent_and_events_as_they_happen(front: Front) -> None:
    size = 100_000_000  # more than nginx lets pass elsewhere
    upload = begin(front.owner, size)
    head = {**front.owner.headers, **TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    outside = replace(front.server, url=front.nginx.url)
    with half_a_request(outside, "PATCH", f"/api/v1/uploads/{upload}", {**head, "Content-Length": str(size)}) as sender:
        sender.sendall(b"x" * 500)
        eventually(lambda: offset_of(front.owner, upload) == 500 or None)
    events = f"{front.nginx.url}/api/v1/admin/events"
    with requests.get(events, headers=front.owner.headers, stream=True, timeout=10) as stream:
        assert next(stream.iter_lines(chunk_size=1)).startswith(b"event: ")


def test_with_its_lines_for_tls_it_speaks_http_2_and_cookies_never_travel_without(front: Front, tmp_path: Path) -> None:
    secure = Nginx(tmp_path, front.nginx.origin, tls=certificate(tmp_path))
    secure.start()
    trusted = str(tmp_path / "certificate.pem")
    try:
        context = ssl.create_default_context(cafile=trusted)
        context.set_alpn_protocols(["h2"])
        with (
            socket.create_connection(("127.0.0.1", secure.port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            assert connection.selected_alpn_protocol() == "h2"
        for url, flagged in ((secure.url, True), (front.nginx.url, False)):
            answer = requests.post(
                f"{url}/api/v1/login",
                json={"email": front.owner.email, "password": PASSWORD},
                headers={"X-OTT-Web": "1", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"},
                verify=trusted,
                timeout=10,
            )
            assert answer.status_code == 200, answer.text
            assert {cookie.secure for cookie in answer.cookies} == {flagged}
    finally:
        secure.stop()


def test_no_log_has_a_whole_ticket(front: Front) -> None:
    play = front.owner.play(front.video_id)
    fetch(play["manifest_url"])
    fetch(play["manifest_url"].replace("master", "nothing"))
    ticket = urlsplit(play["manifest_url"]).path.split("/")[2]
    eventually(lambda: ticket[:6] in front.nginx.logged or None)
    assert ticket[:20] not in front.nginx.logged
    assert "/media/" in front.nginx.logged
