from __future__ import annotations

import json
import subprocess
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import OpenScreen, Theatre
    from tests.browser.screen import Screen

RATE = 24
ACTIVE = "window.ottPlayer?.getVideoTracks().find((track) => track.active)"
FETCHED = """
performance.getEntriesByType("resource").map((file) => /\\/([a-z0-9]+)\\/\\d+\\.m4s$/.exec(file.name)?.[1])
"""


def made(ffmpeg: Path, target: Path, seconds: int, *video: str) -> Path:
    """A test picture of 1280 by 720 with two tones, one of them German."""
    words = (
        *("-f", "lavfi", "-i", f"testsrc2=size=1280x720:rate={RATE}:duration={seconds}"),
        *("-f", "lavfi", "-i", f"sine=frequency=330:duration={seconds}"),
        *("-f", "lavfi", "-i", f"sine=frequency=660:duration={seconds}"),
        *("-map", "0", "-map", "1", "-map", "2", "-metadata:s:a:1", "language=deu", "-c:a", "aac", *video, str(target)),
    )
    subprocess.run([str(ffmpeg), "-v", "error", *words], check=True, timeout=120)
    return target


def x264(every: int) -> tuple[str, ...]:
    return (
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-g",
        str(every),
        "-keyint_min",
        str(every),
        "-sc_threshold",
        "0",
    )


@pytest.fixture(scope="module")
def cut_film(theatre: Theatre, ffmpeg: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Twelve seconds with a key picture every two: its own packets are the top rung."""
    folder = tmp_path_factory.mktemp("cut")
    film = made(ffmpeg, folder / "cut.mp4", 12, *x264(48), "-bf", "2", "-b:v", "3M", "-maxrate", "4M", "-bufsize", "4M")
    return theatre.add(film, "The Cut Picture")


@pytest.fixture(scope="module")
def long_groups(theatre: Theatre, ffmpeg: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Thirty seconds with a key picture every ten: an original beside the ladder."""
    film = made(ffmpeg, tmp_path_factory.mktemp("groups") / "groups.mp4", 30, *x264(240))
    return theatre.add(film, "The Long Groups")


def position(screen: Screen) -> float:
    return float(screen.video(".currentTime"))


@pytest.mark.parametrize("engine", [pytest.param("dash", marks=pytest.mark.slow), "hls"])
def test_no_frame_is_lost_between_copied_and_encoded_segments(
    theatre: Theatre, open_screen: OpenScreen, cut_film: str, engine: str
) -> None:
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.open(f"/watch/{cut_film}?engine={engine}")
    screen.plays_beyond(0)
    screen.choose_quality("480")
    screen.until("document.querySelector('video').videoHeight === 480")
    screen.choose_quality("720")
    screen.until("document.querySelector('video').videoHeight === 720")
    screen.until("document.querySelector('video').ended")

    shown = screen.ask("window.frameTimes")
    quality = screen.video(".getVideoPlaybackQuality()")
    steps = [after - before for before, after in pairwise(shown)]
    # A hole would hold the picture for a part of a segment; a busy machine may leave out single frames.
    assert max(steps) < 0.5
    assert shown[-1] == pytest.approx((12 * RATE - 1) / RATE, abs=0.5 / RATE)
    assert quality is not None
    assert {"v480", "v720"} <= set(screen.ask(FETCHED))
    assert screen.video(".error") is None


def test_original_plays_from_where_the_film_stands_with_the_same_sound_and_back(
    theatre: Theatre, open_screen: OpenScreen, long_groups: str
) -> None:
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.open(f"/watch/{long_groups}?from=13")
    screen.plays_beyond(13)
    screen.ask(
        "window.ottPlayer.selectAudioTrack(window.ottPlayer.getAudioTracks().find((track) => track.language === 'de'))"
    )
    before = position(screen)

    screen.choose_quality("original")
    screen.until("performance.getEntriesByType('resource').some((file) => file.name.includes('/original/1.m4s'))")
    screen.plays_beyond(before)
    assert position(screen) < before + 8
    expect(screen.item("quality")).to_contain_text("Original (720p)")
    assert screen.ask("window.ottPlayer.getAudioTracks().find((track) => track.active).language") == "de"

    # The next film begins so too.
    screen.page.get_by_role("button", name="Back", exact=True).click()
    screen.open(f"/watch/{long_groups}?from=2")
    screen.plays_beyond(2)
    expect(screen.item("quality")).to_contain_text("Original (720p)")
    assert set(filter(None, screen.ask(FETCHED))) & {"v480", "v720"} == set()
    # Whatever else there is can be chosen, though nothing of it was loaded.
    screen.open_menu("quality")
    choices = screen.page.locator("[data-menu=quality] [data-value]")
    expect(choices).to_have_text(["Auto", "Original (720p)", "720p", "480p"])
    screen.page.locator("[data-menu=quality] [data-value='480']").click()
    expect(screen.page.locator("media-settings-menu")).to_be_hidden()
    screen.until("document.querySelector('video').videoHeight === 480")
    screen.choose_quality("original")
    screen.until("window.ottPlayer.getAssetUri().endsWith('/original.mpd')")
    screen.plays_beyond(2)

    there = position(screen)
    screen.choose_quality("auto")
    screen.until(f"{ACTIVE} && window.ottPlayer.getAssetUri().endsWith('/manifest.mpd')")
    screen.plays_beyond(there)
    expect(screen.item("quality")).to_contain_text("Auto")


def test_browser_is_offered_nothing_that_it_does_not_decode(
    theatre: Theatre, open_screen: OpenScreen, ffmpeg: Path, tmp_path: Path
) -> None:
    hevc = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:open-gop=0:keyint=48")
    vp9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "48", "-strict", "-2")
    films = {
        name: theatre.add(made(ffmpeg, tmp_path / f"{name}.mp4", 3, *words), name)
        for name, words in (("hevc", hevc), ("vp9", vp9))
    }
    screen = open_screen()
    screen.sign_in(theatre.owner)
    for name, offered in (("hevc", False), ("vp9", True)):
        with screen.page.expect_response(lambda answer: "/api/v1/play/" in answer.url) as asked:
            screen.open(f"/watch/{films[name]}")
        assert bool(json.loads(asked.value.text())["original"]) is offered
        screen.plays_beyond(0)
        if offered:
            screen.choose_quality("original")
            screen.until("window.ottPlayer.getAssetUri().endsWith('/original.mpd')")
            screen.until("document.querySelector('video').ended")
        screen.open("/")


def test_subtitles_stay_when_one_changes_to_the_original(
    theatre: Theatre, open_screen: OpenScreen, ffmpeg: Path, tmp_path: Path
) -> None:
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,000 --> 00:00:20,000\nHello\n")
    plain = made(ffmpeg, tmp_path / "plain.mp4", 20, *x264(240))
    film = tmp_path / "worded.mkv"
    command = (str(ffmpeg), "-v", "error", "-i", str(plain), "-i", str(words), "-map", "0", "-map", "1")
    subprocess.run([*command, "-c", "copy", "-c:s", "srt", str(film)], check=True, timeout=60)
    video_id = theatre.add(film, "The Worded Picture")
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.open(f"/watch/{video_id}")
    showing = (
        "[...document.querySelector('video').textTracks].some((t) => t.kind === 'subtitles' && t.mode === 'showing')"
    )
    screen.until("document.querySelector('video track[kind=subtitles]')")
    screen.plays_beyond(0)
    screen.page.keyboard.press("c")
    screen.until(showing)
    screen.choose_quality("original")
    screen.until("window.ottPlayer.getAssetUri().endsWith('/original.mpd')")
    screen.plays_beyond(1)
    screen.until(showing)
