"""Players that know nothing of each other see the same pictures at the same times in one film's manifests."""

from __future__ import annotations

import json
import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.server import ROOT
from tests.transcode.clips import BITS, Clip, Sound, write

if TYPE_CHECKING:
    from tests.browser.conftest import OpenScreen, Theatre
    from tests.browser.screen import Screen

HELPER = Path(__file__).with_name("players.js")
LIBRARIES = {
    "shaka": ROOT / "static/node_modules/shaka-player/dist/shaka-player.compiled.js",
    "hls": ROOT / "tests/node_modules/hls.js/dist/hls.js",
    "dash": ROOT / "tests/node_modules/dashjs/dist/modern/umd/dash.all.min.js",
}
HLS, DASH = "manifest_url", "dash_url"
HEIGHTS = [480, 720]
"""The lower is encoded, the upper is the source's own packets."""
RATE, SECONDS, SEGMENT = 24, 8, 48
FRAMES = RATE * SECONDS
ONE_FRAME, HALF_FRAME = 1 / RATE, 0.5 / RATE
HELD = 0.5
"""Seconds that a busy machine may hold a picture: longer is a hole, whatever the load."""
PLACES = (150, 10, *(at + side for at in range(SEGMENT, FRAMES, SEGMENT) for side in (-1, 0)), FRAMES - 1, 0, 77)
"""Pictures to seek to: both sides of every boundary, the ends, and some between."""


@pytest.fixture(scope="module")
def film(theatre: Theatre, tmp_path_factory: pytest.TempPathFactory) -> str:
    options = (("preset", "ultrafast"), ("bf", "2"), ("g", str(SEGMENT)), ("sc_threshold", "0"))
    clip = Clip("numbers.mp4", SECONDS, Fraction(RATE), (1280, 720), options=options, sounds=(Sound(),))
    return theatre.add(write(clip, tmp_path_factory.mktemp("numbers")), "The Numbered Picture")


def granted(screen: Screen, theatre: Theatre, film: str) -> dict[str, Any]:
    """What a player that was let in has of a film: the addresses of its manifests."""
    screen.sign_in(theatre.owner)
    grant: dict[str, Any] = screen.ask(f"fetch('/api/v1/play/{film}').then((answer) => answer.json())")
    return grant


def load(screen: Screen, player: str, url: str, start: float) -> list[int]:
    """Put a player with nothing around it on a page beside the manifests, and load one; the heights it found."""
    empty = screen.url + "/players"
    body = "<!doctype html><title>Players</title><video></video>"
    screen.page.route(empty, lambda route: route.fulfill(content_type="text/html", body=body))
    screen.page.goto(empty)
    screen.page.add_script_tag(path=LIBRARIES[player])
    screen.page.add_script_tag(path=HELPER)
    heights: list[int] = screen.page.evaluate("(words) => load(...words)", [player, url, start])
    return heights


def shows(screen: Screen, number: int) -> None:
    """Wait until a picture is shown that carries the number, and was announced with the time that belongs to it."""
    time = f"Math.abs(frameTimes.at(-1) - {number / RATE}) < {HALF_FRAME}"
    try:
        screen.until(f"shownNumber({BITS}) === {number} && {time}")
    except AssertionError:
        found = screen.ask(f"[shownNumber({BITS}), frameTimes.at(-1), document.querySelector('video').currentTime]")
        pytest.fail(f"picture {number} was to be shown; shown, announced for and asked for: {found}")


@pytest.mark.parametrize(
    ("player", "manifest"), [("shaka", HLS), ("shaka", DASH), ("hls", HLS), ("dash", DASH)], ids=lambda word: word
)
def test_player_shows_every_frame_at_its_time(
    theatre: Theatre, open_screen: OpenScreen, film: str, player: str, manifest: str
) -> None:
    screen = open_screen()
    url = granted(screen, theatre, film)[manifest]

    assert load(screen, player, url, 0) == HEIGHTS
    shows(screen, 0)
    assert screen.video(".currentTime") == 0
    assert screen.video(".duration") == pytest.approx(SECONDS, abs=ONE_FRAME)
    screen.ask("document.querySelector('video').play()")
    screen.until("document.querySelector('video').ended")
    shows(screen, FRAMES - 1)
    times = screen.ask("frameTimes")
    assert times[0] == pytest.approx(0, abs=HALF_FRAME)
    assert all(0 <= after - before < HELD for before, after in pairwise(times))
    assert screen.video(".getVideoPlaybackQuality().totalVideoFrames") == FRAMES
    assert screen.video(".duration") == pytest.approx(SECONDS, abs=ONE_FRAME)

    for number in PLACES:
        screen.ask(f"void (document.querySelector('video').currentTime = {(number + 0.5) / RATE})")
        shows(screen, number)

    # A player that begins in the middle has seen no earlier segment to count its times from.
    number = SEGMENT * 2 + 13
    load(screen, player, url, (number + 0.5) / RATE)
    shows(screen, number)
    assert screen.video(".error") is None


@pytest.mark.parametrize("stream", range(len(HEIGHTS)))
@pytest.mark.parametrize("manifest", [HLS, pytest.param(DASH, marks=pytest.mark.slow)])
def test_ffmpeg_reads_every_frame_at_its_time(
    theatre: Theatre, open_screen: OpenScreen, film: str, ffmpeg: Path, ffprobe: Path, manifest: str, stream: int
) -> None:
    url = theatre.server.url + granted(open_screen(), theatre, film)[manifest]
    entries = ("-show_entries", "frame=pts_time:stream=height:format=start_time,duration", "-of", "json")
    seen = json.loads(output(ffprobe, "-select_streams", f"v:{stream}", *entries, url))
    assert seen["streams"][0]["height"] == HEIGHTS[stream]
    assert float(seen["format"]["start_time"]) == pytest.approx(0, abs=HALF_FRAME)
    assert float(seen["format"]["duration"]) == pytest.approx(SECONDS, abs=ONE_FRAME)
    times = [float(frame["pts_time"]) for frame in seen["frames"]]
    assert times == pytest.approx([number / RATE for number in range(FRAMES)], abs=0.001)

    scaled = ("-vf", f"scale={BITS}:1:flags=area,format=gray", "-fps_mode", "passthrough", "-f", "rawvideo", "-")
    bars = output(ffmpeg, "-i", url, "-map", f"0:v:{stream}", *scaled)
    pictures = [bars[at : at + BITS] for at in range(0, len(bars), BITS)]
    assert [int("".join("01"[bar > 126] for bar in bars), 2) for bars in pictures] == list(range(FRAMES))


def output(program: Path, *words: str) -> bytes:
    """What one of FFmpeg's programs prints; it has nothing to complain of."""
    done = subprocess.run([str(program), "-v", "error", *words], capture_output=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout
