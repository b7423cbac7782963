from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ottserver import events
from ottserver.catalog.models import Details
from ottserver.ids import new_id
from tests.support.house import FILM, House, house, presentation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp.test_utils import TestClient

    Client = TestClient[Any, Any]

API = "/api/v1"


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as opened:
        yield opened


@pytest.fixture
async def viewer(home: House) -> Client:
    return await home.client("member")


async def get(client: Client, path: str) -> tuple[int, Any]:
    async with client.get(API + path) as answer:
        return answer.status, await answer.json()


async def film(home: House, title: str, *genres: str, playable: bool = True) -> str:
    source_id = await home.probed(FILM + title.encode())
    video_id, _ = await home.catalog.add_film(source_id, Details(title, genres=genres))
    if playable:
        await home.announce(events.PresentationPlayable(source_id, presentation(source_id)))
    return video_id


async def test_metadata_has_what_the_title_page_shows(home: House, viewer: Client) -> None:
    video_id = await film(home, "Bunny", "Comedy")
    status, video = await get(viewer, f"/videos/{video_id}/metadata")
    assert status == 200
    assert (video["title"], video["genres"], video["kind"], video["series"]) == ("Bunny", ["Comedy"], "film", None)
    assert (video["status"], video["duration_seconds"], video["thumbnail_url"]) == ("playable", 10.0, None)
    assert [(r["name"], r["width"], r["bandwidth"]) for r in video["renditions"]] == [
        ("v480", 853, 800_000),
        ("v720", 1280, 2_500_000),
    ]
    assert [(a["language"], a["channels"]) for a in video["audio"]] == [("en", 2)]
    assert [s["language"] for s in video["subtitles"]] == ["de"]
    assert [c["title"] for c in video["chapters"]] == ["One"]
    _, title = await get(viewer, f"/titles/{video_id}")
    assert title == {**video, "title_id": video_id}


async def test_video_that_never_was_playable_is_hidden_from_members(home: House, viewer: Client) -> None:
    video_id = await film(home, "Soon", "Comedy", playable=False)
    for path in (f"/videos/{video_id}/metadata", f"/titles/{video_id}", "/categories/comedy"):
        assert (await get(viewer, path))[0] == 404, path
    assert (await get(viewer, "/home"))[1] == {"rows": []}
    assert (await get(await home.client(), f"/videos/{video_id}/metadata"))[1]["status"] == "probing"


async def test_home_has_rows_that_say_why(home: House, viewer: Client) -> None:
    one, two = await film(home, "One", "Comedy", "Rare"), await film(home, "Two", "comedy")
    home.begun += [(new_id(), 1.0, 2.0), (one, 4.0, 10.0)]
    _, answer = await get(viewer, "/home")
    rows = answer["rows"]
    assert [row["id"] for row in rows] == ["continue", "new", "genre:comedy"]
    assert all(row["reason"] and row["title"] for row in rows)
    assert [(item["video_id"], item["progress"]) for item in rows[0]["items"]] == [
        (one, {"position": 4.0, "duration": 10.0})
    ]
    assert [item["video_id"] for item in rows[1]["items"]] == [two, one]
    assert (await get(await home.client(), "/home"))[1]["rows"][0]["id"] == "new"


async def test_categories_lead_to_their_videos(home: House, viewer: Client) -> None:
    await film(home, "One", "Sci-Fi & Fantasy", "नाटक")
    two = await film(home, "Two", "Sci-Fi & Fantasy")
    _, answer = await get(viewer, "/categories")
    assert [(c["slug"], c["name"], c["count"]) for c in answer["results"]] == [
        ("sci-fi-fantasy", "Sci-Fi & Fantasy", 2),
        ("नाटक", "नाटक", 1),
    ]
    _, answer = await get(viewer, "/categories/sci-fi-fantasy?limit=1")
    assert ([v["video_id"] for v in answer["results"]], answer["total"], answer["has_more"]) == ([two], 2, True)
    assert (await get(viewer, "/categories/नाटक"))[1]["total"] == 1


@pytest.mark.parametrize(
    "path",
    [
        "/categories/none",
        "/categories/%ff",
        "/categories/Sci-Fi",
        "/titles/0197a3f0-0000-7000-8000-000000000000",
        "/titles/x",
    ],
)
async def test_what_is_not_there_is_404(viewer: Client, path: str) -> None:
    assert (await get(viewer, path))[0] == 404


async def test_nothing_is_shown_to_those_who_are_not_signed_in(home: House) -> None:
    stranger = await home.client("")
    for path in ("/home", "/categories", f"/titles/{new_id()}", f"/artwork/{'a' * 32}/poster.jpg"):
        assert (await get(stranger, path))[0] == 401


async def test_artwork_is_kept_by_browsers_and_asked_for_by_its_tag(home: House, viewer: Client) -> None:
    await home.blobs.put(f"artwork/{'a' * 32}/poster.jpg", b"a picture")
    path = f"{API}/artwork/{'a' * 32}/poster.jpg"
    tags = set()
    for _ in range(2):
        answer = await viewer.get(path)
        assert (answer.status, answer.content_type, await answer.read()) == (200, "image/jpeg", b"a picture")
        assert "private" in answer.headers["Cache-Control"]
        tags.add(answer.headers["ETag"])
    again = await viewer.get(path, headers={"If-None-Match": tags.pop()})
    assert (again.status, await again.read()) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/poster.png", "/..%2f..%2fsources", "/backdrop.jpg", "/poster.jpg%00", "/%2e%2e%2fposter.jpg"]
)
async def test_only_pictures_can_be_had(viewer: Client, path: str) -> None:
    assert (await get(viewer, f"/artwork/{'a' * 32}{path}"))[0] == 404
    assert (await get(viewer, f"/artwork/..{path}"))[0] == 404
