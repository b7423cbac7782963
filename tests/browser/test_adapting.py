from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import OpenScreen, Theatre
    from tests.browser.screen import Screen

MADE_WITHIN = 240
FIRST = """
performance.getEntriesByType("resource").map((file) => /\\/(v\\d+)\\/\\d+\\.m4s$/.exec(file.name)?.[1]).find(Boolean)
"""
MEASURE = """
async ([waited, said]) => {
  const { adapt } = await import("/static/app/player/adapt.js");
  const { shaka } = await import("/static/app/player/shaka.js");
  const set = {};
  const player = Object.assign(new EventTarget(), {
    getNetworkingEngine: () => null,
    configure: (name, value) => { set[name] = value; },
    getVideoTracks: () => [{ height: 480 }, { height: 720 }],
  });
  adapt(player, document.createElement("video"), { height: 480, bandwidth: 1_000_000, lower: [] });
  const manager = set.abrFactory();
  manager.configure(new shaka.Player().getConfiguration().abr);
  const segment = { getStartTime: () => 0, getEndTime: () => 2 };
  for (let number = 0; number < 6; number += 1) {
    const request = { requestStartTime: number, timeToFirstByte: waited };
    const headers = said ? { "cmsd-dynamic": `"ottserver";rd=${said}` } : {};
    player.dispatchEvent(Object.assign(new Event("downloadheadersreceived"), { request, headers }));
    manager.segmentDownloaded(waited + 20, 100_000, true, request, { stream: { type: "video", height: 720 }, segment });
    manager.segmentDownloaded(20, 100_000, true, request, { stream: { type: "video", height: 720 }, segment });
  }
  return [manager.getBandwidthEstimate(), set["abr.restrictions.maxHeight"]];
}
"""
"""Segments of 200 kB that took 40 ms after a wait: what the line is measured to, and the greatest height left."""
BEGIN = """
async (line) => {
  localStorage.setItem("ottserver.line", line);
  const { adapt } = await import("/static/app/player/adapt.js");
  const set = {};
  const configure = (name, value) => { set[name] = value; };
  const player = Object.assign(new EventTarget(), { getNetworkingEngine: () => null, configure });
  const start = { height: 1080, bandwidth: 6_400_000, lower: [{ height: 480, bandwidth: 1_000_000 }] };
  adapt(player, document.createElement("video"), start);
  return set["abr.defaultBandwidthEstimate"];
}
"""
ASSUME = BEGIN.replace('localStorage.setItem("ottserver.line", line);', "performance.clearResourceTimings();")
LINE = 200_000 * 8 / 0.040


def measured(screen: Screen, theatre: Theatre, waited: int, said: int) -> tuple[float, float]:
    """Bits a second and pixels, where an answer that said `said` came after `waited` milliseconds."""
    screen.sign_in(theatre.owner)
    line, height = screen.page.evaluate(MEASURE, [waited, said])
    return line, height


@pytest.mark.parametrize("said", [1500, 60_000])
def test_waiting_for_the_encoder_is_not_taken_for_a_slow_line(
    theatre: Theatre, open_screen: OpenScreen, said: int
) -> None:
    line, height = measured(open_screen(), theatre, 1500, said)
    assert line == pytest.approx(LINE, rel=0.01)
    assert height == float("inf")


def test_a_slow_line_is_still_seen(theatre: Theatre, open_screen: OpenScreen) -> None:
    line, _ = measured(open_screen(), theatre, 1500, 0)
    assert line < 2_000_000


def test_a_picture_that_the_server_cannot_make_in_time_is_left_for_a_smaller_one(
    theatre: Theatre, open_screen: OpenScreen
) -> None:
    _, height = measured(open_screen(), theatre, 2500, 2500)
    assert height == 719


@pytest.mark.parametrize(("line", "assumed"), [(9_000_000, 6_400_000), (5_000_000, 1_000_000), (700_000, 700_000)])
def test_a_line_too_slow_for_what_comes_at_once_begins_with_the_least_instead_of_waiting_for_what_is_between(
    theatre: Theatre, open_screen: OpenScreen, line: int, assumed: int
) -> None:
    screen = open_screen()
    screen.sign_in(theatre.owner)
    assert screen.page.evaluate(BEGIN, line) == assumed


def test_a_line_that_the_first_visit_has_told_of_is_known_when_the_page_comes_out_of_the_cache(
    theatre: Theatre, open_screen: OpenScreen
) -> None:
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.open(f"/watch/{theatre.film}")
    screen.until(FIRST)
    assert int(screen.ask("localStorage.getItem('ottserver.line')")) > 1_000_000
    screen.open("/")
    assert screen.page.evaluate(ASSUME) == 6_400_000


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
