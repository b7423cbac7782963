"""A real browser before Debian's nginx, over TLS and HTTP/2, on a line that becomes slow and quick again."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import Theatre
from tests.browser.screen import PASSWORD, Screen
from tests.support.nginx import Nginx, program
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


@pytest.fixture
def house(tmp_path: Path, ffmpeg: Path) -> Iterator[tuple[Theatre, Nginx]]:
    """A film in three rungs whose bits differ as lines do, all of it made, behind nginx."""
    openssl = shutil.which("openssl")
    if not program() or openssl is None:
        pytest.skip(
            "no nginx or openssl on this machine: scripts/test installs nginx, or: apt-get install nginx openssl"
        )
    certificate, key, film = tmp_path / "certificate.pem", tmp_path / "key.pem", tmp_path / "film.mp4"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )
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
    nginx = Nginx(edge, "", tls=(certificate, key))
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


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_quality_falls_and_rises_again_with_the_line(house: tuple[Theatre, Nginx], browser: Browser) -> None:
    theatre, nginx = house
    context = browser.new_context(viewport={"width": 1280, "height": 800}, ignore_https_errors=True)
    screen = Screen(context.new_page(), nginx.url)
    screen.sign_in(theatre.owner)
    line = context.new_cdp_session(screen.page)
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
    screen.assert_sound()
    context.close()
