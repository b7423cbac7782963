from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.transcode.clips import Clip, Sound, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import OpenScreen, Theatre

ACTIVE = (
    "ottPlayer.getAudioTracks().filter((track) => track.active).map((track) => [track.language, track.channelsCount])"
)


def test_sound_is_stereo_until_another_is_chosen_which_is_remembered(
    theatre: Theatre, open_screen: OpenScreen, tmp_path: Path
) -> None:
    sounds = (Sound(language="eng", layout="5.1"), Sound(language="ger", layout="5.1"))
    film = write(Clip("two.mkv", seconds=20, sounds=sounds), tmp_path)
    video_id = theatre.add(film, "The Picture in Two Languages")
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.open(f"/title/{video_id}")
    heard = screen.page.locator("dt", has_text="Sound").locator("xpath=following-sibling::dd")
    expect(heard).to_have_text(["English, stereo · 5.1", "Deutsch, stereo · 5.1"])
    screen.open(f"/watch/{video_id}")
    screen.plays_beyond(0)
    assert screen.ask(ACTIVE) == [["en", 2]]

    screen.open_menu("sound")
    choices = screen.page.locator("[data-menu=sound] [data-value]")
    expect(choices).to_have_text(["English", "English 5.1", "Deutsch", "Deutsch 5.1"])
    choices.filter(has_text="Deutsch 5.1").click()
    screen.until(f"JSON.stringify({ACTIVE}) === '[[\"de\",6]]'")
    screen.plays_beyond(screen.video(".currentTime") + 1)
    assert screen.video(".error") is None

    screen.open(f"/watch/{video_id}?from=1")
    screen.plays_beyond(1)
    assert screen.ask(ACTIVE) == [["de", 6]]


def test_copied_sound_plays_where_it_was_from_the_start_and_after_a_seek(
    theatre: Theatre, open_screen: OpenScreen, tmp_path: Path
) -> None:
    film = write(Clip("later.mp4", seconds=20, sounds=(Sound(starts=0.014),)), tmp_path)
    video_id = theatre.add(film, "The Picture with Its Own Sound")
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.open(f"/watch/{video_id}")
    screen.plays_beyond(1)
    # Fourteen milliseconds, which is not where encoded sound begins.
    assert 0.012 < screen.ask("ottPlayer.getBufferedInfo().audio[0].start") < 0.016
    screen.open(f"/watch/{video_id}?from=11")
    screen.plays_beyond(12)
    assert screen.video(".error") is None
    assert len(screen.ask("ottPlayer.getBufferedInfo().audio")) == 1
