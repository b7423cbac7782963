from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ottserver.ids import new_id
from ottserver.playback.handlers import routes
from ottserver.web.guards import Guard
from ottserver.web.limits import RateLimits
from ottserver.web.server import build_application
from tests.playback.support import FILM, FILM_SECONDS, ORIGINAL

if TYPE_CHECKING:
    from aiohttp import ClientResponse, web
    from aiohttp.test_utils import TestClient
    from pytest_aiohttp import AiohttpClient

    from ottserver.identity import Principal
    from tests.playback.conftest import Stage

    Client = TestClient[web.Request, web.Application]


@pytest.fixture
def public_url() -> str:
    """What users type; tests of absolute addresses override it."""
    return ""


@pytest.fixture
async def client(stage: Stage, aiohttp_client: AiohttpClient, public_url: str) -> Client:
    """The routes of playback on a real socket."""
    application = build_application(
        routes(stage.service, public_url=public_url, heartbeat_seconds=10),
        Guard(stage.house, ""),
        RateLimits(on=False),
        secure_cookies=False,
    )
    return await aiohttp_client(application)


def signed_in(principal: Principal) -> dict[str, str]:
    return {"Authorization": f"Bearer {principal.account_id}:{principal.session_id}"}


async def problem(response: ClientResponse, status: int) -> dict[str, Any]:
    assert response.status == status
    assert response.content_type == "application/problem+json"
    found: dict[str, Any] = await response.json()
    return found


async def test_play_answers_with_all_that_a_player_needs(client: Client, stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    response = await client.get(f"/api/v1/play/{film}", headers=signed_in(somebody))
    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"
    answer = await response.json()
    base, _, name = answer.pop("manifest_url").rpartition("/")
    assert name == "master.m3u8"
    assert answer.pop("dash_url") == f"{base}/manifest.mpd"
    assert base.startswith("/media/")
    assert base.endswith(f"/{film}")
    session_id = answer.pop("session_id")
    assert stage.tickets.verify(base.split("/")[2]).session_id == session_id
    assert answer == {
        "presentation_id": FILM.id,
        "heartbeat_seconds": 10,
        "resume_at": 0,
        "duration_seconds": FILM_SECONDS,
        "max_height": 720,
        "start": {"height": 480, "bandwidth": 888_889, "lower": []},
        "subtitles": [
            {
                "name": "s0-12ab",
                "language": "fr",
                "label": "Français",
                "url": f"{base}/{FILM.id}/s0-12ab/subtitles.vtt",
                "default": False,
                "forced": True,
                "hearing_impaired": False,
            }
        ],
        "thumbnails_url": f"{base}/{FILM.id}/storyboard/index.vtt",
        "next": None,
        "license_url": None,
        "original": None,
    }


async def test_original_is_offered_where_plan_and_player_allow(client: Client, stage: Stage) -> None:
    film = stage.house.add_film("HEVC")
    stage.house.change(film, presentation_id=ORIGINAL.id)

    async def offered(can: str, max_height: int = 2160) -> Any:  # noqa: ANN401 - JSON
        headers = signed_in(stage.house.member(max_height=max_height))
        response = await client.get(f"/api/v1/play/{film}", params={"can": can} if can else {}, headers=headers)
        assert response.status == 200
        return (await response.json())["original"]

    assert await offered("") is None
    assert await offered("vp9,av01.0") is None
    assert await offered("hevc", max_height=1080) is None
    original = await offered("vp09, hvc1.2")
    assert original.pop("manifest_url").endswith(f"/{film}/original.m3u8")
    assert original.pop("dash_url").endswith(f"/{film}/original.mpd")
    assert original == {"codecs": "hvc1.2.4.L153.B0", "height": 2160, "bandwidth": 20_140_000}
    refused = await client.get(
        f"/api/v1/play/{film}", params={"can": "<hevc>"}, headers=signed_in(stage.house.member())
    )
    assert (await problem(refused, 422))["errors"][0]["field"] == "can"


async def test_heartbeat_and_end_over_http(client: Client, stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    headers = signed_in(somebody)
    session_id = (await (await client.get(f"/api/v1/play/{film}", headers=headers)).json())["session_id"]
    session = f"/api/v1/playback/{session_id}"
    beat = await client.post(f"{session}/heartbeat", json={"position": 77, "state": "playing"}, headers=headers)
    assert beat.status == 200
    # Relative to the manifests, for a player that began before there were any pictures.
    assert await beat.json() == {
        "lease_seconds": 30,
        "saved": True,
        "thumbnails": f"{FILM.id}/storyboard/index.vtt",
        "max_height": 720,
    }
    full = await problem(await client.get(f"/api/v1/play/{film}", headers=headers), 409)
    assert [entry["session_id"] for entry in full["sessions"]] == [session_id]
    for _ in range(2):
        assert (await client.delete(session, headers=headers)).status == 204
    gone = await client.post(f"{session}/heartbeat", json={"position": 78, "state": "paused"}, headers=headers)
    assert "another device" in (await problem(gone, 410))["detail"]
    again = await (await client.get(f"/api/v1/play/{film}", headers=headers)).json()
    assert again["resume_at"] == 77


async def test_closing_page_says_in_one_request_where_it_stood(client: Client, stage: Stage) -> None:
    film = stage.house.add_film()
    headers = signed_in(stage.house.member())
    session_id = (await (await client.get(f"/api/v1/play/{film}", headers=headers)).json())["session_id"]
    session = f"/api/v1/playback/{session_id}"
    for nonsense in ("-1", "nan", "inf", "soon"):
        await problem(await client.delete(f"{session}?position={nonsense}", headers=headers), 422)
    assert (await client.delete(f"{session}?position=64.5", headers=headers)).status == 204
    again = await (await client.get(f"/api/v1/play/{film}", headers=headers)).json()
    assert again["resume_at"] == 64.5


async def test_position_of_a_session_that_has_ended_is_not_moved(client: Client, stage: Stage) -> None:
    film = stage.house.add_film()
    headers = signed_in(stage.house.member())
    session_id = (await (await client.get(f"/api/v1/play/{film}", headers=headers)).json())["session_id"]
    for position in (64.5, 99):
        url = f"/api/v1/playback/{session_id}?position={position}"
        assert (await client.delete(url, headers=headers)).status == 204
    again = await (await client.get(f"/api/v1/play/{film}", headers=headers)).json()
    assert again["resume_at"] == 64.5


async def test_no_plan_is_402(client: Client, stage: Stage) -> None:
    somebody, film = stage.house.member(screens=None), stage.house.add_film()
    await problem(await client.get(f"/api/v1/play/{film}", headers=signed_in(somebody)), 402)


async def test_nobody_plays_without_signing_in(client: Client, stage: Stage) -> None:
    film = stage.house.add_film()
    await problem(await client.get(f"/api/v1/play/{film}"), 401)
    await problem(await client.post(f"/api/v1/playback/{new_id()}/heartbeat", json={}), 401)
    await problem(await client.delete(f"/api/v1/playback/{new_id()}"), 401)
    await problem(await client.get("/api/v1/history"), 401)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b'{"position": -1, "state": "playing"}', 422, "position"),
        (b'{"position": "far", "state": "playing"}', 422, "position"),
        (b'{"position": 1e999, "state": "playing"}', 422, "position"),
        (b'{"position": NaN, "state": "playing"}', 422, "position"),
        (b'{"position": null, "state": "playing"}', 422, "position"),
        (b'{"position": 1, "state": "dancing"}', 422, "state"),
        (b'{"position": 1}', 422, "state"),
        (b'{"position": 1, "state": "playing", "speed": 2}', 422, "speed"),
        (b"[]", 422, "body"),
        (b"{", 400, None),
        (b'{"position": 1, "state": "\xff"}', 400, None),
    ],
)
async def test_bad_heartbeat_names_what_is_wrong(
    client: Client, stage: Stage, body: bytes, status: int, field: str | None
) -> None:
    somebody = stage.house.member()
    headers = signed_in(somebody) | {"Content-Type": "application/json"}
    response = await client.post(f"/api/v1/playback/{new_id()}/heartbeat", data=body, headers=headers)
    found = await problem(response, status)
    if field:
        assert [entry["field"] for entry in found["errors"]] == [field]


async def test_unknown_and_malformed_ids_are_404(client: Client, stage: Stage) -> None:
    headers = signed_in(stage.house.member())
    beat = {"position": 1, "state": "playing"}
    for wrong in (new_id(), "1", "x" * 500, "%00"):
        await problem(await client.get(f"/api/v1/play/{wrong}", headers=headers), 404)
        await problem(await client.post(f"/api/v1/playback/{wrong}/heartbeat", json=beat, headers=headers), 404)
        await problem(await client.delete(f"/api/v1/playback/{wrong}", headers=headers), 404)


async def test_head_takes_no_screen(client: Client, stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    response = await client.head(f"/api/v1/play/{film}", headers=signed_in(somebody))
    assert response.status == 405
    assert await stage.screens.holders(somebody.account_id) == []


async def test_profile_that_is_no_id_is_named(client: Client, stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film()
    for path in (f"/api/v1/play/{film}?profile=kids", "/api/v1/history?profile=kids"):
        found = await problem(await client.get(path, headers=signed_in(somebody)), 422)
        assert [entry["field"] for entry in found["errors"]] == ["profile"]


async def test_history_has_the_shape_of_a_list(client: Client, stage: Stage) -> None:
    somebody, film = stage.house.member(), stage.house.add_film("Sintel")
    headers = signed_in(somebody)
    play = await stage.service.play(somebody, film)
    await stage.service.heartbeat(somebody, play.session.id, 600, "playing")
    answer = await (await client.get("/api/v1/history?page=1&limit=1", headers=headers)).json()
    assert answer == {
        "results": [
            {
                "video_id": film,
                "title": "Sintel",
                "position": 600,
                "resume_at": 600,
                "duration_seconds": FILM_SECONDS,
                "finished": False,
                "watched_at": "2026-11-23T12:00:00.000Z",
            }
        ],
        "total": 1,
        "page": 1,
        "has_more": False,
    }
    assert (await client.delete(f"/api/v1/history/{film}", headers=headers)).status == 204
    assert (await (await client.get("/api/v1/history", headers=headers)).json())["total"] == 0
    for query in ("page=0", "limit=101", "limit=0", "page=x"):
        await problem(await client.get(f"/api/v1/history?{query}", headers=headers), 422)


async def test_fifty_simultaneous_requests_on_two_screens_start_two_players(client: Client, stage: Stage) -> None:
    somebody, film = stage.house.member(screens=2), stage.house.add_film()
    path, headers = f"/api/v1/play/{film}", signed_in(somebody)
    responses = await asyncio.gather(*(client.get(path, headers=headers) for _ in range(50)))
    assert sorted(response.status for response in responses) == [200] * 2 + [409] * 48


class TestPublicAddress:
    @pytest.fixture
    def public_url(self) -> str:
        return "https://films.example"

    async def test_addresses_are_absolute(self, client: Client, stage: Stage) -> None:
        somebody, film = stage.house.member(), stage.house.add_film()
        answer = await (await client.get(f"/api/v1/play/{film}", headers=signed_in(somebody))).json()
        assert answer["manifest_url"].startswith("https://films.example/media/")
        assert answer["dash_url"].startswith("https://films.example/media/")


async def test_next_episode_is_told(client: Client, stage: Stage) -> None:
    somebody, film, following = stage.house.member(), stage.house.add_film(), stage.house.add_film("Part 2")
    stage.house.change(film, next_id=following, next_title="Part 2")
    answer = await (await client.get(f"/api/v1/play/{film}", headers=signed_in(somebody))).json()
    assert answer["next"] == {"video_id": following, "title": "Part 2"}
