"""One theatre with the real film, and screens in front of it."""

from __future__ import annotations

import json
import subprocess
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.screen import PASSWORD, Screen
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

_QUICK = {"OTT_ACCOUNTS_BCRYPT_ROUNDS": "4", "OTT_TRANSCODE_PRESET": "ultrafast"}
_CHROMIUM = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
_WIDE = (1280, 800)


@dataclass(frozen=True)
class Theatre:
    """A server with an owner and one film."""

    server: Server
    owner: str
    """The owner's address."""
    film: str
    """The film's id."""

    def new_member(self, plan: str = "") -> str:
        """The address of somebody who just signed up, with a complimentary plan or without any."""
        email = f"{uuid.uuid4().hex}@example.org"
        self.server.run(
            *("user", "create", "--email", email, "--name", "Mo", "--role", "member", "--password-stdin"),
            stdin=PASSWORD,
        )
        if plan:
            self.grant(email, plan)
        return email

    def grant(self, email: str, plan: str) -> None:
        """Give somebody a plan for a few days."""
        self.server.run("user", "grant", "--email", email, "--plan", plan, "--days", "3")

    def add(self, film: Path, title: str) -> str:
        """Import a film; its id, once it can be played."""
        done = self.server.run("import", str(film), "--title", title, "--wait", "playable")
        return str(json.loads(done.stdout)["video_id"])


class OpenScreen(Protocol):
    """Opens a tab with cookies of its own."""

    def __call__(self, size: tuple[int, int] = _WIDE) -> Screen:
        """The tab, still empty; `size` in CSS pixels."""
        ...


@pytest.fixture(scope="package")
def theatre(tmp_path_factory: pytest.TempPathFactory, bbb_1080p: Path) -> Iterator[Theatre]:
    """Shared by the tests of this folder: name what you make so that it is yours."""
    server = Server(tmp_path_factory.mktemp("theatre") / "data", env=_QUICK)
    try:
        server.start()
        owner = "owner@example.org"
        server.run(
            *("user", "create", "--email", owner, "--name", "Olga", "--role", "owner", "--password-stdin"),
            stdin=PASSWORD,
        )
        theatre = Theatre(server, owner, "")
        yield Theatre(server, owner, theatre.add(bbb_1080p, "Big Buck Bunny"))
    finally:
        server.close()


@pytest.fixture(scope="package")
def browser(chromium: Path) -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def open_screen(browser: Browser, theatre: Theatre) -> Iterator[OpenScreen]:
    """Tabs that close with the test; each must have kept the page's rules."""
    screens: list[Screen] = []

    def open_one(size: tuple[int, int] = _WIDE) -> Screen:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]})
        screens.append(Screen(context.new_page(), theatre.server.url))
        return screens[-1]

    yield open_one
    for screen in screens:
        screen.assert_sound()
        screen.page.context.close()


@pytest.fixture(scope="package")
def long_film(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Path) -> Path:
    """Five minutes of a test picture with a tone: more than the background encodes while a test runs.

    Its key pictures are too far apart for its own packets to be a rung.
    """
    folder = tmp_path_factory.mktemp("long")
    scene, film = folder / "scene.mp4", folder / "film.mp4"
    for words in (
        (
            *("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=24", "-f", "lavfi", "-i", "sine=frequency=330"),
            *("-t", "12", "-c:v", "libx264", "-preset", "ultrafast", "-g", "288", "-c:a", "aac", str(scene)),
        ),
        ("-stream_loop", "24", "-i", str(scene), "-c", "copy", str(film)),
    ):
        subprocess.run([str(ffmpeg), "-v", "error", *words], check=True, timeout=60)
    return film
