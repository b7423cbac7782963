"""How soon a film starts: click to first frame and seeks to parts not yet made, in real Chromium, over many runs.

Server, encoders and browser share the machine. Every run takes a film of its own, the demo film over and over with
other bytes at its end, so that nothing of it is made: once with key frames every 10 s, so that every rung is encoded,
and once with packets that can be played as they are. Idle means that nothing is encoded ahead of time; busy, that
another film is, and in its turns this one too. Then: a long film by a resumable upload, and when it can be played.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from playwright.sync_api import Browser, Page, sync_playwright
from tusclient.client import TusClient

from scripts.benches._films import FILM, closed, looped
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

EMAIL, PASSWORD = "bench@example.org", "a bench's passphrase"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
SECONDS = 120
SEEK_TARGETS = (97.3, 51.3)
OTHER_SECONDS = 900
CHUNK = 64 << 20
"""Bytes of an upload's request."""

# A frame counts when the compositor has presented it, not when the element says that it plays.
SEEK = """
(target) => new Promise((resolve) => {
  const video = document.querySelector("video");
  const from = performance.now();
  const look = (now, frame) => {
    if (frame.mediaTime >= target - 0.1) resolve([now - from, frame.height]);
    else video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
  video.currentTime = target;
})
"""
CLICK = """
() => new Promise((resolve) => {
  const from = performance.now();
  const watch = new MutationObserver(() => {
    const video = document.querySelector("video");
    if (video && !video.dataset.timed) {
      video.dataset.timed = "yes";
      video.requestVideoFrameCallback((now, frame) => resolve([now - from, frame.height]));
    }
  });
  watch.observe(document.documentElement, { subtree: true, childList: true });
  [...document.querySelectorAll("a, button")].find((each) => each.textContent.trim() === "Play").click();
})
"""


@contextmanager
def serving(folder: Path, *, busy: bool) -> Iterator[Server]:
    """A server with an owner; where it is busy, it encodes another film."""
    server = Server(folder / "data", env={} if busy else {"OTT_TRANSCODE_BACKGROUND_WORKERS": "0"})
    try:
        server.run("user", "create", "--email", EMAIL, "--name", "Bench", "--role", "owner", "--password-stdin",
                   stdin=f"{PASSWORD}\n")  # fmt: skip
        server.start()
        if busy:
            server.run("import", str(looped(FILM, OTHER_SECONDS, folder)), "--wait", "playable")
        yield server
    finally:
        server.close()


def signed_in(browser: Browser, url: str) -> Page:
    """A page whose visitor is the owner."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(f"{url}/sign-in")
    page.fill("input[type=email]", EMAIL)
    page.fill("input[type=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/")
    return page


def one_run(page: Page, server: Server, film: Path, found: dict[str, list[float]], heights: list[int]) -> None:
    """Add the seconds of every step with a film that the server has not seen; the film is removed again."""
    begun = time.perf_counter()
    imported = server.run("import", str(film), "--title", film.stem, "--wait", "playable")
    found.setdefault("import to playable", []).append(time.perf_counter() - begun)
    video_id = json.loads(imported.stdout)["video_id"]
    page.goto(f"{server.url}/title/{video_id}")
    page.get_by_text("Play", exact=True).first.wait_for()
    page.wait_for_timeout(500)
    took, height = page.evaluate(CLICK)
    found.setdefault("click to first frame", []).append(took / 1000)
    heights.append(height)
    for target in SEEK_TARGETS:
        page.wait_for_timeout(1500)
        took, _ = page.evaluate(SEEK, target)
        found.setdefault("seek to a part not yet made", []).append(took / 1000)
    page.goto(f"{server.url}/")
    page.evaluate(f"fetch('/api/v1/admin/videos/{video_id}', {{ method: 'DELETE', headers: {{ 'X-OTT-Web': '1' }} }})")


def report(title: str, found: dict[str, list[float]], heights: list[int]) -> None:
    """Print the distribution of every step."""
    print(f"\n{title}; first pictures: {', '.join(f'{heights.count(h)} x {h}p' for h in sorted(set(heights)))}\n")
    print("| step | runs | min | p50 | p90 | max |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for step, values in found.items():
        tenths = statistics.quantiles(values, n=10, method="inclusive") if len(values) > 1 else values * 9
        numbers = " | ".join(f"{value:.2f} s" for value in (min(values), tenths[4], tenths[8], max(values)))
        print(f"| {step} | {len(values)} | {numbers} |", flush=True)


def starts(runs: int) -> None:
    """Print how long the command takes to its ready line, on an empty folder each time."""
    found = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            server = Server(Path(folder) / "data")
            begun = time.perf_counter()
            try:
                server.start()
                found.append(time.perf_counter() - begun)
            finally:
                server.close()
    middle = statistics.median(found)
    print(f"command to ready line, {runs} runs: {min(found):.2f} to {max(found):.2f} s, median {middle:.2f} s")


def upload(hours: float) -> None:
    """Print when a long film can be played that comes by a resumable upload (tus 1.0.0)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film = looped(FILM, hours * 3600, folder)
        with serving(folder, busy=False) as server:
            api = f"{server.url}/api/v1"
            signed = requests.post(f"{api}/login", json={"email": EMAIL, "password": PASSWORD}, timeout=30).json()
            headers = {"Authorization": f"Bearer {signed['token']}"}
            sending = TusClient(f"{api}/uploads", headers).uploader(
                str(film), chunk_size=CHUNK, metadata={"filename": film.name}
            )
            begun = time.perf_counter()
            sending.upload()
            sent = time.perf_counter()
            upload_id = str(sending.url).rstrip("/").rpartition("/")[2]
            made = requests.post(
                f"{api}/admin/videos", json={"upload_id": upload_id, "title": "Long"}, headers=headers, timeout=60
            ).json()
            while (state := _status(api, made["video_id"], headers)) == "probing":
                time.sleep(0.02)
            took = time.perf_counter() - sent
    size = f"{hours:g} hours ({film.stat().st_size / 1e9:.1f} GB)" if film.exists() else f"{hours:g} hours"
    print(f"\n{size} by upload: {sent - begun:.1f} s to send, then {state} after {took:.2f} s")


def _status(api: str, video_id: str, headers: dict[str, str]) -> str:
    answer = requests.get(f"{api}/admin/videos/{video_id}", headers=headers, timeout=60).json()
    return str(answer["status"])


def measure(browser: Browser, source: Path, runs: int, *, busy: bool) -> None:
    """Print one table."""
    found: dict[str, list[float]] = {}
    heights: list[int] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        long = looped(source, SECONDS, folder)
        with serving(folder, busy=busy) as server:
            page = signed_in(browser, server.url)
            for number in range(runs):
                film = folder / f"{source.stem}-{number}.mp4"
                # Other bytes, in a box that says nothing, are another film.
                film.write_bytes(long.read_bytes() + b"\0\0\0\x0cfree%04d" % number)
                one_run(page, server, film, found, heights)
                film.unlink()
                print(f"{source.stem}, run {number + 1} of {runs} done", file=sys.stderr)
            page.context.close()
    kind = "copied top rung" if source != FILM else "every rung encoded"
    report(f"{kind}, {'while another film is encoded' if busy else 'idle'}", found, heights)


def main() -> None:
    """Run what was asked for and print the distributions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="runs of each (20)")
    parser.add_argument("--sources", default="encoded,copied", help="encoded, copied, or both (encoded,copied)")
    parser.add_argument("--states", default="idle,busy", help="idle, busy, or both (idle,busy)")
    parser.add_argument("--hours", type=float, default=2, help="length of the film that is uploaded; 0: none (2)")
    given = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is needed: apt-get install chromium")
    starts(min(given.rounds, 5))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for source in given.sources.split(","):
            film = FILM if source == "encoded" else closed(Path(folder))
            for state in given.states.split(","):
                measure(browser, film, given.rounds, busy=state == "busy")
        browser.close()
    if given.hours:
        upload(given.hours)


if __name__ == "__main__":
    main()
