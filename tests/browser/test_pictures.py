"""Owners choose the picture that stands for a film."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.browser.conftest import OpenScreen, Theatre


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_owner_picks_another_picture_and_lets_the_server_choose_again(
    theatre: Theatre, open_screen: OpenScreen, size: tuple[int, int]
) -> None:
    screen = open_screen(size)
    screen.sign_in(theatre.owner)
    film = f"/api/v1/admin/videos/{theatre.film}"
    shown = f"(async () => (await (await fetch('{film}')).json()).thumbnail_url)()"
    screen.ask(
        f"""(async () => {{
          while ((await (await fetch("{film}")).json()).pictures.length < 4) {{
            await new Promise((go) => setTimeout(go, 200));
          }}
        }})()"""
    )
    before = screen.ask(shown)
    screen.open("/admin")
    screen.page.get_by_role("button", name="Edit Big Buck Bunny").click()
    picker = screen.page.get_by_role("group", name="Picture")
    expect(picker.get_by_role("button", name="Picture 1", exact=True)).to_have_attribute("aria-pressed", "true")

    third = picker.get_by_role("button", name="Picture 3", exact=True)
    third.click()
    expect(picker.get_by_role("button", name="Let the server choose")).to_be_visible()
    expect(third).to_have_attribute("aria-pressed", "true")
    after = screen.ask(shown)
    assert after != before
    # Seen at once behind the dialog.
    expect(screen.page.locator(f".film[data-video='{theatre.film}'] img")).to_have_attribute("src", after)
    assert screen.fits()

    picker.get_by_role("button", name="Let the server choose").click()
    expect(picker.get_by_role("button", name="Picture 1", exact=True)).to_have_attribute("aria-pressed", "true")
    assert screen.ask(shown) == before
