"""Debian's HAProxy with the configuration that we ship, before two origins that say who they are."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.flows.people import eventually
from tests.support.server import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHIPPED = ROOT / "config/edge/haproxy.cfg"
TICKET, OTHER_TICKET = "T" * 100, "t" * 100
FILM, VIDEO = uuid.UUID(int=7).hex, str(uuid.UUID(int=8))
RENDITIONS = [f"v{number}" for number in range(40)]


class Origin(ThreadingHTTPServer):
    """Answers everything with its name and what it was asked."""

    daemon_threads = True
    ready = True
    alive = True

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.name = name
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class _Answer(BaseHTTPRequestHandler):
    server: Origin
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        said = {"who": self.server.name, "path": self.path, "headers": dict(self.headers)}
        body = json.dumps(said).encode()
        well = {"/readyz": self.server.ready, "/healthz": self.server.alive}.get(self.path, True)
        self.send_response(200 if well else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        with suppress(ConnectionError):  # HAProxy breaks off its checks
            super().handle()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@dataclass
class Balance:
    """HAProxy and what is behind it."""

    url: str
    origins: dict[str, Origin]
    log: Path

    def ask(self, path: str, **headers: str) -> dict[str, Any]:
        answer = requests.get(self.url + path, headers=headers, timeout=10)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    def who(self, path: str, **headers: str) -> str:
        return str(self.ask(path, **headers)["who"])

    def homes(self, ticket: str = TICKET, segment: int = 0) -> dict[str, str]:
        """Which origin each rendition of a film comes from."""
        base = f"/media/{ticket}/{VIDEO}/{FILM}"
        return {name: self.who(f"{base}/{name}/{segment}.m4s") for name in RENDITIONS}


@pytest.fixture(scope="module")
def balance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balance]:
    """Two origins; whoever makes one unready makes it ready again."""
    program = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None:
        pytest.skip("no haproxy on this machine: scripts/test installs it as root, or: apt-get install haproxy")
    folder = tmp_path_factory.mktemp("balance")
    origins = {name: Origin(name) for name in ("one", "two")}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    text = SHIPPED.read_text()
    for shipped, fitted in {
        "log /dev/log local0": "log stdout format raw local0",
        "    user haproxy\n    group haproxy\n": "",
        "maxconn 50000": "maxconn 200",
        "inter 1s": "inter 50ms",
        "bind :80\n": f"bind 127.0.0.1:{port}\n",
        "127.0.0.1:8081": f"127.0.0.1:{origins['one'].server_port}",
        "127.0.0.1:8082": f"127.0.0.1:{origins['two'].server_port}",
    }.items():
        assert shipped in text, f"{SHIPPED.name} has no {shipped!r} any more"
        text = text.replace(shipped, fitted)
    path, log = folder / "haproxy.cfg", folder / "haproxy.log"
    path.write_text(text)
    checked = subprocess.run([program, "-c", "-f", path], capture_output=True, text=True, check=False, timeout=10)
    assert checked.returncode == 0, checked.stderr
    with log.open("w") as out:
        process = subprocess.Popen([program, "-db", "-f", path], stdout=out, stderr=out)
    balance = Balance(f"http://127.0.0.1:{port}", origins, log)
    try:
        eventually(lambda: _listens(port) or None, every=0.02)
        yield balance
    finally:
        process.terminate()
        process.wait(10)
        for origin in origins.values():
            origin.shutdown()
            origin.server_close()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def alike(homes: dict[str, str], others: dict[str, str]) -> bool:
    """Whether nearly all are the same: HAProxy passes one on where an answer before it is not quite over."""
    return sum(homes[name] != others[name] for name in RENDITIONS) <= len(RENDITIONS) // 10


def test_a_rendition_has_one_home_whoever_asks_for_whichever_part(balance: Balance) -> None:
    homes = balance.homes()
    assert set(homes.values()) == {"one", "two"}
    assert alike(balance.homes(OTHER_TICKET, segment=5), homes)
    asked = {name: f"/media/{OTHER_TICKET}/{VIDEO}/{FILM}/{name}/3.m4s" for name in RENDITIONS}
    assert alike({name: balance.who("/media-auth", **{"X-Original-URI": path}) for name, path in asked.items()}, homes)


def test_an_origin_that_is_not_ready_gets_nothing_and_has_its_films_back_when_it_is(balance: Balance) -> None:
    homes = balance.homes()
    two = balance.origins["two"]
    two.ready = False
    eventually(lambda: set(balance.homes().values()) == {"one"} or None)
    eventually(lambda: {balance.who("/api/v1/home") for _ in range(4)} == {"one"} or None)
    two.ready = True
    eventually(lambda: alike(balance.homes(), homes) or None)


def test_where_no_origin_is_ready_those_that_live_are_asked(balance: Balance) -> None:
    homes = balance.homes()
    one, two = balance.origins["one"], balance.origins["two"]
    one.ready = two.ready = False
    eventually(lambda: _backends(balance) >= {"media_of_the_living", "pages_of_the_living"} or None)
    assert alike(balance.homes(), homes)
    assert balance.who("/api/v1/home") in {"one", "two"}
    two.alive = False
    eventually(lambda: set(balance.homes().values()) == {"one"} or None)
    one.ready = two.alive = two.ready = True
    eventually(lambda: _backends(balance) == {"media", "pages"} or None)
    eventually(lambda: alike(balance.homes(), homes) or None)
    eventually(lambda: requests.get(f"{balance.url}/api/v1/uploads", timeout=10).status_code == 200 or None)


def _backends(balance: Balance) -> set[str]:
    """Which of HAProxy's backends two fresh requests went through, as its log says."""
    mark = uuid.uuid4().hex
    for path in (f"/media/{mark}", f"/{mark}"):
        requests.get(balance.url + path, timeout=10)
    lines = eventually(lambda: found if len(found := _logged(balance, mark)) > 1 else None)
    return {line.split(" ")[-1].partition("/")[0] for line in lines}


def _logged(balance: Balance, mark: str) -> list[str]:
    return [line for line in balance.log.read_text().splitlines() if mark[:6] in line]


def test_uploads_and_events_stay_with_one_process_while_it_lives(balance: Balance) -> None:
    paths = ("/api/v1/uploads", f"/api/v1/uploads/{VIDEO}", "/api/v1/admin/events")
    assert {balance.who(path) for path in paths * 2} == {"one"}
    one = balance.origins["one"]
    one.ready = False
    eventually(lambda: {balance.who(path) for path in paths} == {"two"} or None)
    one.ready = True
    eventually(lambda: {balance.who(path) for path in paths} == {"one"} or None)


def test_an_origin_is_told_who_asks_and_how_and_not_what_they_say(balance: Balance) -> None:
    said = balance.ask("/", **{"X-Forwarded-For": "8.8.8.8", "X-Forwarded-Proto": "https"})["headers"]
    assert (said["x-forwarded-for"], said["x-forwarded-proto"]) == ("127.0.0.1", "http")


def test_the_log_has_no_whole_ticket(balance: Balance) -> None:
    balance.ask(f"/media/{TICKET}/{VIDEO}/{FILM}/v1/0.m4s?x={TICKET}")
    log = eventually(lambda: text if "/v1/0.m4s" in (text := balance.log.read_text()) else None)
    assert f"/media/{TICKET[:6]}*/{VIDEO}" in log
    assert TICKET[:20] not in log
