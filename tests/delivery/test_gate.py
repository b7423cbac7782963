from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.delivery.films import OTHER_VIDEO_ID, SESSION_ID, VIDEO_ID, rung
from tests.delivery.test_media import problem, raw

if TYPE_CHECKING:
    from aiohttp import ClientResponse

    from ottserver.media import Presentation
    from tests.delivery.conftest import Stage

GATE = "/media-auth"
SEGMENT = "{p}/v720/1.m4s"
OPEN = [
    "master.m3u8",
    "manifest.mpd",
    "{p}/v480/media.m3u8",
    "{p}/v720/init.mp4",
    SEGMENT,
    "{p}/a1/0.m4s",
    "{p}/v720/99.m4s",
    "{p}/nope/0.m4s",
    "{p}/s0-aa/subtitles.vtt",
    "{p}/storyboard/0.jpg",
]
SHUT = [
    "{p}/v1080/0.m4s",
    "{p}/v1080/init.mp4",
    "{p}/v1080/media.m3u8",
    "{p}/original/0.m4s",
    "original.m3u8",
    "original.mpd",
    "00000000000000000000000000000000/v720/1.m4s",
    "../v720/1.m4s",
]
NOWHERE = [
    "",
    "{p}",
    "x",
    "{p}/v720",
    "{p}/v720/",
    "{p}/../x.m4s",
    "{p}//0.m4s",
    "{p}/v480/../v1080/0.m4s",
    "{p}/v480/%2e%2e/v1080/0.m4s",
    "{p}/v720/%31.m4s",
    "master.m3u8/",
]
"""Addresses that are 404 for a player; a cache that reads them in its own way must not serve what it takes them for."""


async def ask(stage: Stage, address: str, **headers: str) -> ClientResponse:
    return await stage.client.get(GATE, headers={"X-Original-URI": address, **headers})


@pytest.fixture
def film(stage: Stage) -> Presentation:
    """The usual film, with its original beside the ladder."""
    original = replace(rung(2160, name="original"), group="original")
    film = replace(stage.film, renditions=(*stage.film.renditions, original))
    stage.library.films[film.id] = film
    return film


@pytest.mark.parametrize("inside", [*OPEN, *SHUT])
async def test_the_gate_opens_what_the_media_route_opens(stage: Stage, film: Presentation, inside: str) -> None:
    address = stage.url(inside, max_height=720)
    served = (await stage.client.get(raw(address))).status
    answer = await ask(stage, address)
    assert (served == 403, answer.status) == ((False, 204) if inside in OPEN else (True, 401))
    # A cache that asks for the title as a whole comes to the same, by the list of what is above the plan.
    parts = inside.format(p=film.id).split("/")
    if len(parts) == 3:
        whole = await ask(stage, stage.url(f"{parts[0]}/", max_height=720))
        assert (whole.status == 401 or parts[1] in whole.headers["X-Media-Above"].split(" ")) == (served == 403)


@pytest.mark.parametrize("inside", NOWHERE)
async def test_what_no_player_is_ever_told_of_is_not_opened(stage: Stage, inside: str) -> None:
    address = stage.url(inside)
    if ".." not in inside:  # which a client resolves before it asks
        assert (await stage.client.get(raw(address))).status == 404
    assert (await ask(stage, address)).status == 401


async def test_bad_tickets_open_nothing_and_nothing_is_to_be_remembered_of_them(stage: Stage) -> None:
    good = stage.ticket()
    inside = SEGMENT.format(p=stage.film.id)
    for address in (
        f"/media/{good[:-1]}{'A' if good[-1] != 'A' else 'B'}/{VIDEO_ID}/{inside}",
        f"/media/{good[:50]}/{VIDEO_ID}/{inside}",
        f"/media/{good}/{OTHER_VIDEO_ID}/{inside}",
        "/media/x",
        "/",
        "",
        "\xff\xfe",
    ):
        answer = await ask(stage, address)
        assert (answer.status, answer.headers["Cache-Control"]) == (401, "no-store")


async def test_a_verdict_holds_for_a_second_and_without_us_until_the_ticket_ends(stage: Stage) -> None:
    answer = await ask(stage, stage.url(SEGMENT))
    fresh, _, stale = answer.headers["Cache-Control"].partition(", stale-if-error=")
    assert fresh == "max-age=1"
    assert 3590 <= int(stale) <= 3600
    assert answer.headers["X-Media-Above"] == "-"
    # An ended session is told with the same force, so that it takes the place of the good answer.
    stage.tickets.revoke(SESSION_ID)
    ended = await ask(stage, stage.url(SEGMENT))
    assert (ended.status, ended.headers["Cache-Control"]) == (401, "max-age=1, stale-if-error=3600")


async def test_what_is_asked_at_the_gate_counts_as_watching_and_what_is_refused_does_not(stage: Stage) -> None:
    await ask(stage, stage.url("{p}/v1080/0.m4s", max_height=720))
    assert stage.delivery.take_active() == set()
    await ask(stage, stage.url(f"{SEGMENT}?CMCD=bl%3D1000", max_height=720))
    assert stage.delivery.take_active() == {SESSION_ID}


async def test_the_gate_stays_open_while_the_database_is_down(stage: Stage) -> None:
    assert (await ask(stage, stage.url(SEGMENT))).status == 204
    stage.library.reachable = False
    assert (await ask(stage, stage.url(SEGMENT))).status == 204


async def test_a_question_without_an_address_is_malformed(stage: Stage) -> None:
    await problem(await stage.client.get(GATE), 400)
    answer = await stage.client.get(GATE, headers={"X-Forwarded-Uri": stage.url(SEGMENT)})
    assert answer.status == 204


class TestOtherOrigins:
    @pytest.fixture
    def origins(self) -> tuple[str, ...]:
        return ("https://player.example",)

    async def test_the_gate_says_what_their_pages_may_read(self, stage: Stage) -> None:
        answer = await ask(stage, stage.url(SEGMENT), Origin="https://player.example")
        assert answer.headers["Access-Control-Allow-Origin"] == "https://player.example"
        answer = await ask(stage, stage.url(SEGMENT), Origin="https://thief.example")
        assert "Access-Control-Allow-Origin" not in answer.headers
