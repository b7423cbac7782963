from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.screen import PASSWORD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import OpenScreen, Theatre

FRAMES = 720
RATE = 24


def test_visitor_signs_in_and_sees_every_frame_of_the_film(theatre: Theatre, open_screen: OpenScreen) -> None:
    member = theatre.new_member("premium")
    screen = open_screen()
    screen.open(f"/title/{theatre.film}")
    screen.page.get_by_label("E-mail").fill(member)
    screen.page.get_by_label("Password").fill(PASSWORD)
    screen.page.get_by_role("button", name="Sign in").click()
    expect(screen.page.get_by_role("heading", name="Big Buck Bunny")).to_be_visible()

    screen.page.get_by_role("link", name="Play").click()
    screen.until("document.querySelector('video')?.ended", within=90)

    assert screen.video(".getVideoPlaybackQuality().totalVideoFrames") == FRAMES
    shown = screen.ask("window.frameTimes")
    assert shown[0] == pytest.approx(0, abs=0.5 / RATE)
    assert shown[-1] == pytest.approx((FRAMES - 1) / RATE, abs=0.5 / RATE)
    assert screen.video(".error") is None
    expect(screen.page.get_by_role("region", name="The end")).to_be_visible()
    screen.page.get_by_role("button", name="About the film").click()
    expect(screen.page).to_have_url(f"{theatre.server.url}/title/{theatre.film}")
    # What the player said of itself with its requests.
    told = {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in screen.ask("fetch('/metrics').then((answer) => answer.text())").splitlines()
        if line.startswith("ott_player_") and theatre.film in line
    }
    assert max(told[name] for name in told if name.startswith("ott_player_starts_total")) > 0
    assert sum(told[name] for name in told if name.startswith("ott_player_reports_total")) >= 15
    times, bits = (
        sum(told[name] for name in told if name.startswith(f"ott_player_throughput_bits_{kind}"))
        for kind in ("count", "sum")
    )
    assert times > 0
    assert bits / times > 100_000


def test_seek_to_a_part_that_is_not_made_yet_plays_there(
    theatre: Theatre, open_screen: OpenScreen, long_film: Path
) -> None:
    video_id = theatre.add(long_film, "The Long Test Picture")
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.open(f"/watch/{video_id}")
    screen.plays_beyond(0)

    screen.page.keyboard.press("9")

    made = screen.ask(f"fetch('/api/v1/admin/videos/{video_id}').then((answer) => answer.json())")
    assert made["status"] == "playable"
    screen.plays_beyond(271)
    assert screen.video(".currentTime") < 300
    screen.page.get_by_role("button", name="Back", exact=True).click()
    screen.ask(
        f"fetch('/api/v1/admin/videos/{video_id}', {{ method: 'DELETE', headers: {{ 'X-OTT-Web': '1' }} }})"
        ".then((answer) => answer.status)"
    )


def test_chosen_quality_is_what_is_shown_and_the_place_is_remembered(theatre: Theatre, open_screen: OpenScreen) -> None:
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.open(f"/watch/{theatre.film}?from=4")
    screen.plays_beyond(4)

    screen.choose_quality("480")
    screen.until("document.querySelector('video').videoHeight === 480")
    expect(screen.item("quality")).to_contain_text("480p")
    screen.choose_quality("1080")
    screen.until("document.querySelector('video').videoHeight === 1080")
    at = screen.video(".currentTime")
    screen.plays_beyond(at + 1)

    screen.page.keyboard.press("k")
    screen.page.keyboard.press("5")
    screen.until("!document.querySelector('video').seeking")
    screen.page.get_by_role("button", name="Back", exact=True).click()
    expect(screen.page.get_by_role("link", name="Resume at 0:15")).to_be_visible()


def test_menu_closes_after_a_choice_and_keys_are_the_players_again(theatre: Theatre, open_screen: OpenScreen) -> None:
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.open(f"/watch/{theatre.film}?from=4")
    screen.plays_beyond(4)
    menu = screen.page.locator("media-settings-menu")
    screen.open_menu("speed")
    screen.page.locator("[data-menu=speed] [data-value='1.5']").click()
    expect(menu).to_be_hidden()
    screen.until("document.querySelector('video').playbackRate === 1.5")
    screen.page.keyboard.press("Space")
    screen.until("document.querySelector('video').paused")
    expect(menu).to_be_hidden()

    screen.page.locator("media-settings-menu-button").click()
    expect(screen.item("speed")).to_contain_text("1.5")
    # What the engine does while it waits for the film is nobody's choice.
    screen.ask("document.querySelector('video').playbackRate = 0")
    screen.page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    screen.page.locator("media-settings-menu-button").click()
    expect(screen.item("speed")).to_contain_text("1.5")
    screen.ask("document.querySelector('video').playbackRate = 1.5")
    screen.item("speed").press("Escape")
    expect(menu).to_be_hidden()
    screen.page.keyboard.press("Space")
    screen.until("!document.querySelector('video').paused")
    expect(menu).to_be_hidden()


def test_only_screen_of_a_plan_can_be_taken_over(theatre: Theatre, open_screen: OpenScreen) -> None:
    member = theatre.new_member()
    sofa, kitchen = open_screen(), open_screen()
    sofa.sign_in(member)
    sofa.open(f"/watch/{theatre.film}")
    expect(sofa.page.get_by_role("heading", name="A plan is needed to watch")).to_be_visible()
    expect(sofa.page.get_by_text("₹199")).to_be_visible()
    expect(sofa.page.get_by_role("button", name="Choose")).to_have_count(0)

    theatre.grant(member, "basic")
    sofa.open(f"/watch/{theatre.film}")
    sofa.plays_beyond(0)
    kitchen.sign_in(member)
    kitchen.open(f"/watch/{theatre.film}")
    kitchen.page.get_by_role("button", name="Stop it there").click()
    kitchen.plays_beyond(0)

    sofa.page.keyboard.press("k")
    expect(sofa.page.get_by_role("heading", name="The film was stopped")).to_be_visible()


@pytest.mark.slow
def test_film_goes_on_when_its_plan_is_cut_in_what_the_plan_shows(theatre: Theatre, open_screen: OpenScreen) -> None:
    member = theatre.new_member("premium")
    theatre.grant(member, "basic")
    screen = open_screen()
    screen.sign_in(member)
    screen.open(f"/watch/{theatre.film}?from=1")
    screen.plays_beyond(1)
    screen.ask("document.querySelector('video').dataset.same = 'yes'")
    heights = "window.ottPlayer.getVideoTracks().map((track) => track.height)"
    assert max(screen.ask(heights)) == 1080

    theatre.server.run("user", "withdraw", "--email", member, "--plan", "premium")

    screen.until(f"Math.max(...{heights}) === 720")
    at = screen.video(".currentTime")
    screen.plays_beyond(at + 1)
    assert screen.video(".dataset.same") == "yes"


def test_film_plays_on_once_the_server_is_back(theatre: Theatre, open_screen: OpenScreen, long_film: Path) -> None:
    video_id = theatre.add(long_film, "The Interrupted Picture")
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.open(f"/watch/{video_id}")
    screen.plays_beyond(0)
    stopped = screen.page.get_by_role("heading", name="The film stopped")

    theatre.server.kill()
    try:
        screen.page.keyboard.press("5")
        expect(stopped).to_be_visible(timeout=40_000)
    finally:
        theatre.server.start()

    screen.plays_beyond(151)
    expect(stopped).to_have_count(0)
    screen.ask(
        f"fetch('/api/v1/admin/videos/{video_id}', {{ method: 'DELETE', headers: {{ 'X-OTT-Web': '1' }} }})"
        ".then((answer) => answer.status)"
    )
