from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from tests.browser.conftest import OpenScreen, Theatre
    from tests.browser.screen import Screen

WAIT_SECONDS = 0.8
SAID_MS = 5_000
# More than it is: segments are held up one after the other here, so that some wait for others' waits.
MADE_WITHIN = 240
QUICK, SLOW = 4_000_000, 3_000_000
"""Bits a second: less than the line on this machine by far, and more than that of segments which all take so long."""
LINE = "window.ottPlayer?.getStats().estimatedBandwidth"
FIRST = """
performance.getEntriesByType("resource").map((file) => /\\/(v\\d+)\\/\\d+\\.m4s$/.exec(file.name)?.[1]).find(Boolean)
"""
HEIGHT = "window.ottPlayer?.getVideoTracks().find((track) => track.active)?.height"


def watch(theatre: Theatre, screen: Screen, *, said: bool) -> None:
    """Play the film while every segment comes late; `said`: the server says that it is its own doing."""

    def late(route: Route) -> None:
        with suppress(Error):  # the page may have gone, or given the request up
            answer = route.fetch()
            time.sleep(WAIT_SECONDS)
            delay = {"cmsd-dynamic": f'"ottserver";rd={SAID_MS}'} if said else {}
            route.fulfill(response=answer, headers={**answer.headers, **delay})

    screen.sign_in(theatre.owner)
    screen.page.route("**/media/**/*.m4s", late)
    screen.open(f"/watch/{theatre.film}")
    screen.plays_beyond(2)


def test_waiting_for_the_encoder_is_not_taken_for_a_slow_line(theatre: Theatre, open_screen: OpenScreen) -> None:
    screen = open_screen()
    watch(theatre, screen, said=True)
    assert screen.ask(LINE) > QUICK
    screen.until(f"{HEIGHT} > 480")
    screen.page.unroute_all(behavior="ignoreErrors")


def test_a_slow_line_is_still_seen(theatre: Theatre, open_screen: OpenScreen) -> None:
    screen = open_screen()
    watch(theatre, screen, said=False)
    assert 0 < screen.ask(LINE) < SLOW
    screen.page.unroute_all(behavior="ignoreErrors")


@pytest.mark.parametrize(("remembered", "height"), [(None, 1080), (2_000_000, 480)])
def test_a_made_film_begins_in_its_best_quality_unless_the_line_is_known_to_be_slow(
    theatre: Theatre, open_screen: OpenScreen, remembered: int | None, height: int
) -> None:
    screen = open_screen((1920, 1080))
    screen.sign_in(theatre.owner)
    deadline = time.monotonic() + MADE_WITHIN
    while (
        screen.ask(f"fetch('/api/v1/admin/videos/{theatre.film}').then((answer) => answer.json())")["status"]
        != "complete"
    ):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    if remembered:
        screen.ask(f"localStorage.setItem('ottserver.line', '{remembered}')")
    screen.open(f"/watch/{theatre.film}")
    screen.until(FIRST)
    assert screen.ask(FIRST) == f"v{height}"
