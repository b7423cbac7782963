"""A real browser before Debian's nginx, over TLS and HTTP/2, on a line that becomes slow and quick again."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import Theatre
from tests.browser.screen import PASSWORD, Screen
from tests.flows.screens import fetch, tracks
from tests.support.nginx import Nginx, certificate, program
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, CDPSession

SECONDS = 120
LADDER = [
    {"name": "v144", "width": 256, "height": 144, "maxrate": 100_000, "crf": 23},
    {"name": "v240", "width": 426, "height": 240, "maxrate": 300_000, "crf": 23},
    {"name": "v360", "width": 640, "height": 360, "maxrate": 900_000, "crf": 23},
]
SETTINGS = {
    "OTT_ACCOUNTS_BCRYPT_ROUNDS": "4",
    "OTT_TRANSCODE_PRESET": "ultrafast",
    "OTT_TRANSCODE_LADDER": json.dumps(LADDER),
}
QUICK, SLOW = -1, 30_000
"""Bytes a second that the line carries; 240 kbit/s are more than the least rung takes, and less than the next."""
VIDEO = "document.querySelector('video')"
ASKED = """
performance.getEntriesByType("resource").map((file) => /\\/(v\\d+)\\/\\d+\\.m4s$/.exec(file.name)?.[1]).filter(Boolean)
"""
"""The renditions of all pictures fetched so far, in order."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Path) -> Iterator[tuple[Theatre, Nginx]]:
    """A film in three rungs whose bits differ as lines do, all of it made, behind nginx."""
    if not program():
        pytest.skip(
            "no nginx or openssl on this machine: scripts/test installs nginx, or: apt-get install nginx openssl"
        )
    tmp_path = tmp_path_factory.mktemp("house")
    film = tmp_path / "film.mp4"
    scene = tmp_path / "scene.mp4"
    picture = "testsrc2=size=640x360:rate=24,noise=alls=12:allf=t"
    for words in (
        ("-f", "lavfi", "-i", picture, "-t", "12", "-c:v", "libx264", "-preset", "ultrafast", "-g", "288", str(scene)),
        ("-stream_loop", str(SECONDS // 12 - 1), "-i", str(scene), "-c", "copy", str(film)),
    ):
        subprocess.run([str(ffmpeg), "-v", "error", *words], check=True, timeout=60)
    edge = tmp_path / "edge"
    edge.mkdir()
    server = Server(tmp_path / "data", env=SETTINGS)
    nginx = Nginx(edge, "", tls=certificate(tmp_path))
    try:
        nginx.origin = urlsplit(server.start().url).netloc
        nginx.start()
        owner = "owner@example.org"
        server.run(
            *("user", "create", "--email", owner, "--name", "Olga", "--role", "owner", "--password-stdin"),
            stdin=PASSWORD,
        )
        done = server.run("import", str(film), "--title", "Noise", "--wait", "complete", within=240)
        yield Theatre(server, owner, json.loads(done.stdout)["video_id"]), nginx
    finally:
        nginx.stop()
        server.close()


def carry(line: CDPSession, bytes_a_second: int) -> None:
    """Let the line carry no more than that."""
    line.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 20, "downloadThroughput": bytes_a_second, "uploadThroughput": -1},
    )


@pytest.fixture
def screen(house: tuple[Theatre, Nginx], browser: Browser) -> Iterator[Screen]:
    """A tab at the film's page, of the owner, that knows only nginx."""
    theatre, nginx = house
    context = browser.new_context(viewport={"width": 1280, "height": 800}, ignore_https_errors=True)
    screen = Screen(context.new_page(), nginx.url)
    screen.sign_in(theatre.owner)
    yield screen
    screen.assert_sound()
    context.close()


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_quality_falls_and_rises_again_with_the_line(house: tuple[Theatre, Nginx], screen: Screen) -> None:
    theatre, _ = house
    line = screen.page.context.new_cdp_session(screen.page)
    line.send("Network.enable")
    screen.open(f"/watch/{theatre.film}")
    screen.until(f"{ASKED}.at(-1) === 'v360'")
    screen.plays_beyond(1)
    screen.ask(f"{VIDEO}.addEventListener('waiting', () => {{ window.waits = (window.waits ?? 0) + 1; }})")
    screen.until(f"{VIDEO}.buffered.end(0) > {VIDEO}.currentTime + 12")

    carry(line, SLOW)
    screen.until(f"{ASKED}.at(-1) === 'v144'", within=60)
    carry(line, QUICK)
    slow = len(screen.ask(ASKED))
    screen.until(f"{ASKED}.slice({slow}).at(-1) === 'v360'", within=60)

    # It went on playing all the while, and shows what it fetched.
    at = screen.video(".currentTime")
    screen.until(f"{VIDEO}.currentTime > {at + 20}", within=60)
    assert screen.video(".videoHeight") == 360
    assert screen.ask("window.waits ?? 0") == 0
    assert set(screen.ask('performance.getEntriesByType("resource").map((file) => file.nextHopProtocol)')) == {"h2"}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_film_that_was_watched_before_plays_to_its_end_while_the_server_behind_is_dead(
    house: tuple[Theatre, Nginx], screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    theatre, nginx = house
    assert nginx.tls is not None
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(nginx.tls[0]))
    play = screen.ask(f"fetch('/api/v1/play/{theatre.film}').then((answer) => answer.json())")
    for track in tracks(nginx.url + play["manifest_url"]).values():
        for url in (track.init, *track.segments):
            assert fetch(url).status_code == 200
    screen.open(f"/watch/{theatre.film}")
    screen.plays_beyond(1)

    theatre.server.kill()
    screen.ask(f"{VIDEO}.currentTime = {SECONDS - 15}")
    screen.until(f"{VIDEO}.ended", within=60)
    assert screen.video(".error") is None
    assert screen.ask("window.frameTimes.at(-1)") == pytest.approx(SECONDS, abs=0.1)
    theatre.server.start()
