from __future__ import annotations

import re
from typing import TYPE_CHECKING

import av
import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import OpenScreen, Theatre
    from tests.browser.screen import Screen

WATCHABLE = re.compile("playable|complete")
LINE = 1_200_000
"""Bytes a second that the uploads of these tests get."""


@pytest.fixture
def scene(tmp_path: Path, bbb_1080p: Path) -> Path:
    """The film's first 3 seconds, packets copied: about 2 MB."""
    path = tmp_path / "A_Quiet.Morning.mp4"
    with av.open(str(bbb_1080p)) as film, av.open(str(path), "w") as cut:
        stream = film.streams.video[0]
        copy = cut.add_stream_from_template(stream)
        for packet in film.demux(stream):
            if packet.dts is not None and packet.pts is not None and packet.pts * float(stream.time_base or 1) < 3:
                packet.stream = copy
                cut.mux(packet)
    return path


def test_owner_watches_an_upload_become_a_film(theatre: Theatre, open_screen: OpenScreen, scene: Path) -> None:
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.page.get_by_role("link", name="Library").click()
    expect(screen.page.get_by_role("heading", name="Library")).to_be_visible()
    line = screen.page.context.new_cdp_session(screen.page)
    line.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 5, "downloadThroughput": -1, "uploadThroughput": LINE},
    )

    screen.page.get_by_label("Video files").set_input_files(scene)

    seen: set[int] = set()
    film = screen.page.locator(".film", has_text="A Quiet Morning")
    for _ in range(600):
        seen.add(int(screen.ask("document.querySelector('.sending .meter')?.ariaValueNow") or 0))
        if film.is_visible():
            break
        screen.page.wait_for_timeout(50)
    assert len([percent for percent in seen if 0 < percent < 100]) >= 2
    expect(film).to_have_attribute("data-status", WATCHABLE, timeout=30_000)

    film.get_by_role("button", name="Delete").click()
    screen.page.get_by_role("button", name="Delete the film").click()
    expect(film).to_have_count(0)


def test_subtitles_that_come_with_a_film_are_its_own(
    theatre: Theatre, open_screen: OpenScreen, scene: Path, tmp_path: Path
) -> None:
    film = scene.rename(tmp_path / "Cat.Film.mp4")
    names = ("Cat.Film.en.srt", "cat.film.de.forced.srt", "Other.fr.srt")
    for name in names:
        (tmp_path / name).write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.open("/admin")
    screen.page.get_by_label("Video files").set_input_files([film, *(tmp_path / name for name in names)])
    expect(screen.page.get_by_text("“Other.fr.srt” is no film and was left out.")).to_be_visible()
    row = screen.page.locator(".film", has_text="Cat Film")
    expect(row).to_have_attribute("data-status", WATCHABLE, timeout=30_000)
    expect(screen.page.locator(".sending")).to_have_count(0, timeout=20_000)
    row.get_by_role("button", name="Subtitles of Cat Film").click()
    dialog = screen.page.get_by_role("dialog", name="Subtitles of Cat Film")
    lines = dialog.locator(".words-list li > span:first-child")
    expect(lines).to_have_text(["English", "Deutsch (forced)"])


def test_films_of_a_dropped_folder_are_taken_and_the_rest_is_named(
    theatre: Theatre, open_screen: OpenScreen, scene: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "Evenings"
    (folder / "Summer").mkdir(parents=True)
    (folder / ".trash").mkdir()
    notes = folder / "notes.txt"
    notes.write_text("Bread, butter.")
    for name in ("cover.jpg", ".trash/Gone.mp4"):
        (folder / name).write_bytes(b"-")
    scene.rename(folder / "Summer" / "At_the_Lake.mp4")
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.open("/admin")
    expect(screen.page.get_by_role("button", name="Choose a folder")).to_be_visible()

    _drop(screen, folder)
    expect(screen.page.get_by_text("“cover.jpg” and “notes.txt” are no films and were left out.")).to_be_visible()
    expect(screen.page.locator(".film", has_text="At the Lake")).to_have_attribute(
        "data-status", WATCHABLE, timeout=30_000
    )
    _drop(screen, notes)
    expect(screen.page.get_by_text("“notes.txt” is no film and was left out.")).to_be_visible()
    expect(screen.page.locator(".sending")).to_have_count(0)
    expect(screen.page.locator(".film", has_text=re.compile("Gone|notes|cover"))).to_have_count(0)


def _drop(screen: Screen, path: Path) -> None:
    """Drag a file or a folder of this disk onto the page, and let it go."""
    mouse = screen.page.context.new_cdp_session(screen.page)
    for step in ("dragEnter", "dragOver", "drop"):
        carried = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        mouse.send("Input.dispatchDragEvent", {"type": step, "x": 300, "y": 300, "data": carried})


def test_what_goes_wrong_is_said_at_once_and_where_it_is_seen(
    theatre: Theatre, open_screen: OpenScreen, tmp_path: Path
) -> None:
    notes = tmp_path / "Nothing to see.mp4"
    notes.write_text("no film at all\n" * 40)
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.open("/admin")
    full = '{"title": "Insufficient Storage", "status": 507, "detail": "The disk is full."}'
    screen.page.route("**/api/v1/uploads", lambda route: route.fulfill(status=507, body=full))
    screen.page.get_by_label("Video files").set_input_files(notes)
    expect(screen.page.locator(".sending")).to_contain_text("The disk is full. Trying again", timeout=3000)
    screen.page.unroute("**/api/v1/uploads")
    film = screen.page.locator(".film", has_text="Nothing to see")
    expect(film).to_have_attribute("data-status", "failed", timeout=20_000)

    screen.page.route("**/api/v1/admin/videos/*", lambda route: route.abort())
    film.get_by_role("button", name="Delete").click()
    screen.page.get_by_role("button", name="Delete the film").click()
    expect(screen.page.locator(".toasts:popover-open")).to_contain_text("cannot be reached")
    screen.page.unroute("**/api/v1/admin/videos/*")
    screen.page.get_by_role("button", name="Delete the film").click()
    expect(film).to_have_count(0)


def test_file_that_is_no_film_says_why_and_can_be_replaced(
    theatre: Theatre, open_screen: OpenScreen, scene: Path, tmp_path: Path
) -> None:
    notes = tmp_path / "Shopping list.mp4"
    notes.write_text("Bread, butter, and something sweet for the evening.\n" * 40)
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.open("/admin")

    screen.page.get_by_label("Video files").set_input_files(notes)
    film = screen.page.locator(".film", has_text="Shopping list")
    expect(film).to_have_attribute("data-status", "failed", timeout=20_000)
    expect(film.locator(".wrong")).not_to_be_empty()

    film.get_by_label("Another file for Shopping list").set_input_files(scene)
    expect(film).to_have_attribute("data-status", WATCHABLE, timeout=30_000)
