"""Pictures above the time line, in the page and in the engine's own hands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import OpenScreen, Theatre

_BAR = "document.querySelector('media-time-range')"
_SHEET = f"{_BAR}.getAttribute('mediapreviewimage')"

_PICTURE = f"{_BAR}.querySelector('media-preview-thumbnail')"


def until_drawn(theatre: Theatre, open_screen: OpenScreen) -> None:
    """Wait until the film has its pictures."""
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.ask(
        f"""(async () => {{
          for (;;) {{
            const grant = await (await fetch("/api/v1/play/{theatre.film}")).json();
            const own = {{ method: "DELETE", headers: {{ "X-OTT-Web": "1" }} }};
            await fetch(`/api/v1/playback/${{grant.session_id}}`, own);
            if (grant.thumbnails_url) return;
            await new Promise((done) => setTimeout(done, 200));
          }}
        }})()"""
    )


@pytest.mark.parametrize("engine", ["dash", "hls"])
def test_engine_finds_a_picture_for_every_second(theatre: Theatre, open_screen: OpenScreen, engine: str) -> None:
    until_drawn(theatre, open_screen)
    screen = open_screen()
    screen.sign_in(theatre.owner)
    screen.open(f"/watch/{theatre.film}?engine={engine}")
    screen.plays_beyond(0)
    found = screen.ask(
        """(async () => {
          const [track] = ottPlayer.getImageTracks();
          const found = [];
          for (const second of [0, 3, 17, 29]) found.push(await ottPlayer.getThumbnails(track.id, second));
          const sheet = await createImageBitmap(await (await fetch(found[0].uris[0])).blob());
          const places = found.map((one) => [one.startTime, one.positionX, one.positionY, one.width, one.height]);
          return { sheet: [sheet.width, sheet.height], places };
        })()"""
    )
    assert found["sheet"] == [8 * 256, 2 * 144]
    assert [[round(n) for n in place] for place in found["places"]] == [
        [0, 0, 0, 256, 144],
        [2, 256, 0, 256, 144],
        [16, 0, 144, 256, 144],
        [28, 6 * 256, 144, 256, 144],
    ]


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_pointer_on_the_time_line_shows_what_is_there(
    theatre: Theatre, open_screen: OpenScreen, size: tuple[int, int]
) -> None:
    until_drawn(theatre, open_screen)
    screen = open_screen(size)
    screen.sign_in(theatre.owner)
    screen.open(f"/watch/{theatre.film}")
    screen.plays_beyond(0)
    box = screen.page.locator("media-time-range").bounding_box()
    assert box is not None
    # Ten pixels at each end are for the thumb.
    at = box["x"] + 10 + (box["width"] - 20) * 0.55, box["y"] + box["height"] / 2
    screen.page.mouse.move(at[0] - 20, at[1])
    screen.until("document.querySelector('track[label=thumbnails]')?.track.cues?.length === 15")
    screen.page.mouse.move(*at)
    screen.until(f"{_SHEET}?.includes('/0.jpg')")
    # Second 16.5 of 30 is on the ninth tile: the first of the second row.
    assert screen.ask(f"{_PICTURE}.getAttribute('mediapreviewcoords')") == "0 144 256 144"
    screen.until(f"{_PICTURE}.shadowRoot.querySelector('img').naturalWidth > 0")
    shown = screen.ask(
        f"(({{ left, right, width, top }}) => ({{ left, right, width, top }}))({_PICTURE}.getBoundingClientRect())"
    )
    assert shown["width"] >= 120
    assert shown["left"] >= 0
    assert shown["right"] <= size[0]
    assert shown["top"] > 0
