from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.screen import PASSWORD
from tests.support.server import ROOT

if TYPE_CHECKING:
    from tests.browser.conftest import OpenScreen, Theatre
    from tests.conftest import StartServer

PHONE = (390, 844)
AXE = ROOT / "tests/node_modules/axe-core/axe.min.js"
RULES = "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice'] })"


def test_every_page_fits_a_phone_and_is_open_to_everybody(theatre: Theatre, open_screen: OpenScreen) -> None:
    screen = open_screen(PHONE)
    axe = AXE.read_text()
    screen.open("/sign-in")
    expect(screen.page.get_by_role("button", name="Sign in")).to_be_visible()
    assert screen.fits()
    screen.ask(axe)
    assert screen.ask(RULES)["violations"] == []

    screen.sign_in(theatre.owner)
    pages = (
        "/",
        f"/title/{theatre.film}",
        "/admin",
        "/account",
        "/plans",
        "/title/no-such-film",
        f"/watch/{theatre.film}",
    )
    for path in pages:
        screen.open(path)
        expect(screen.page.locator("h1")).to_be_visible()
        screen.page.wait_for_timeout(400)
        assert screen.fits(), path
        screen.ask(axe)
        found = screen.ask(RULES)["violations"]
        assert [(path, rule["id"], rule["nodes"][0]["html"]) for rule in found] == []
        # A film may be called anything, also by one endless word.
        screen.ask(
            "document.querySelectorAll('h1, h3 a').forEach((one) => { one.textContent = 'Donaudampf'.repeat(9); })"
        )
        assert screen.fits(), path
        screen.assert_sound()


def test_film_is_played_with_the_keyboard_alone(theatre: Theatre, open_screen: OpenScreen) -> None:
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.open(f"/title/{theatre.film}")
    play = screen.page.locator(".hero .primary")
    expect(play).to_be_visible()
    for _ in range(12):
        screen.page.keyboard.press("Tab")
        if play.evaluate("(link) => link === document.activeElement"):
            break
    screen.page.keyboard.press("Enter")
    screen.plays_beyond(0)
    screen.page.keyboard.press("Space")
    assert screen.video(".paused") is True
    screen.page.keyboard.press("0")
    screen.page.keyboard.press("l")
    screen.until("!document.querySelector('video').seeking")
    assert round(screen.video(".currentTime")) == 10


def test_closed_server_offers_no_account(start_server: StartServer, open_screen: OpenScreen) -> None:
    server = start_server(OTT_REGISTRATION="off")
    owner = "owner@example.org"
    server.run(
        *("user", "create", "--email", owner, "--name", "Olga", "--role", "owner", "--password-stdin"), stdin=PASSWORD
    )
    screen = open_screen()
    screen.url = server.url

    screen.open("/sign-in")
    expect(screen.page.get_by_text("New accounts are made by whoever runs this server.")).to_be_visible()
    expect(screen.page.get_by_role("button", name="Make an account")).to_have_count(0)
    screen.sign_in(owner)
