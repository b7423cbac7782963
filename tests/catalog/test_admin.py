from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from ottserver import events
from ottserver.catalog.models import Details, Encoding
from ottserver.ids import is_id, new_id
from tests.support.house import FILM, OWNER, House, body, eventually, house, presentation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp import StreamReader
    from aiohttp.test_utils import TestClient

    Client = TestClient[Any, Any]

VIDEOS = "/api/v1/admin/videos"


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as opened:
        yield opened


@pytest.fixture
async def client(home: House) -> Client:
    return await home.client()


async def call(client: Client, method: str, path: str = VIDEOS, sent: object = None) -> tuple[int, Any]:
    async with client.request(method, path, json=sent) as answer:
        return answer.status, await answer.json() if answer.status != 204 else None


async def added(home: House, client: Client, title: str = "Film", data: bytes = FILM) -> str:
    """A video whose bytes have been probed."""
    upload_id = await home.upload(data)
    status, answer = await call(client, "POST", sent={"upload_id": upload_id, "title": title})
    assert status == 201, answer
    source_id = await home.until_stored(upload_id)
    await home.until_source(source_id, "ready" if data == FILM else "failed")
    return str(answer["video_id"])


async def source_of(home: House, video_id: str) -> str:
    return (await home.catalog.video(video_id)).source_id or ""


async def test_video_follows_its_bytes_from_the_first_to_complete(home: House, client: Client) -> None:
    uploads = home.ingest.uploads
    upload_id = (await uploads.create(OWNER, len(FILM), "")).upload.id
    status, answer = await call(client, "POST", sent={"upload_id": upload_id, "title": " Film "})
    assert (status, answer["status"]) == (201, "probing")
    assert is_id(answer["video_id"])
    path = f"{VIDEOS}/{answer['video_id']}"
    _, video = await call(client, "GET", path)
    assert (video["title"], video["size_bytes"], video["renditions"]) == ("Film", len(FILM), [])

    await uploads.append(upload_id, 0, body(FILM))
    source_id = await home.until_stored(upload_id)
    await home.until_source(source_id, "ready")
    _, video = await call(client, "GET", path)
    assert (video["status"], video["duration_seconds"]) == ("probing", 10.0)

    laid = presentation(source_id)
    home.ready[laid.id] = {"v480": (2, 5)}
    await home.announce(
        events.PresentationPlayable(source_id, laid), events.ArtworkReady(source_id, "a/p.jpg", "a/b.jpg")
    )
    _, video = await call(client, "GET", path)
    assert video["status"] == "playable"
    assert video["thumbnail_url"] == "/api/v1/a/p.jpg"
    assert [(r["name"], r["kind"], r["height"], r["ready"], r["total"]) for r in video["renditions"]] == [
        ("v480", "video", 480, 2, 5),
        ("v720", "video", 720, 0, 5),
        ("a0", "audio", 0, 0, 5),
    ]
    await home.announce(events.PresentationComplete(source_id, laid.id))
    _, video = await call(client, "GET", path)
    assert video["status"] == "complete"
    assert {r["ready"] for r in video["renditions"]} == {5}


async def test_facts_that_come_twice_change_nothing_more(home: House, client: Client) -> None:
    video_id = await added(home, client)
    source_id = await source_of(home, video_id)
    playable = events.PresentationPlayable(source_id, presentation(source_id))
    complete = events.PresentationComplete(source_id, playable.presentation.id)
    await home.announce(playable, playable, complete, playable, complete)
    assert (await home.catalog.video(video_id)).status == "complete"
    assert await home.announced(events.VideoPlayable) == 1


async def test_video_of_known_bytes_takes_up_their_state_at_once(home: House, client: Client) -> None:
    await added(home, client)
    upload_id = await home.upload()
    source_id = await home.until_stored(upload_id)
    laid = presentation(source_id)
    home.encodings[source_id] = Encoding(laid, complete=True, poster_key="p", backdrop_key="b")
    status, answer = await call(client, "POST", sent={"upload_id": upload_id, "title": "Again"})
    assert (status, answer["status"]) == (201, "complete")
    await home.settled()
    assert await home.announced(events.VideoPlayable) == 2, "the older video was behind and has caught up"


async def test_failed_encoding_is_told_in_words(home: House, client: Client) -> None:
    video_id = await added(home, client)
    source_id = await source_of(home, video_id)
    await home.announce(events.PresentationFailed(source_id, "Its pictures cannot be decoded."))
    _, video = await call(client, "GET", f"{VIDEOS}/{video_id}")
    assert (video["status"], video["reason"]) == ("failed", "Its pictures cannot be decoded.")


async def test_empty_upload_makes_a_video_that_says_so(home: House, client: Client) -> None:
    status, answer = await call(client, "POST", sent={"upload_id": await home.upload(b""), "title": "Nothing"})
    assert (status, answer["status"]) == (201, "failed")
    _, video = await call(client, "GET", f"{VIDEOS}/{answer['video_id']}")
    assert video["reason"] == "The file is empty."


async def test_second_video_of_one_upload_is_409_and_names_the_first(home: House, client: Client) -> None:
    upload_id = await home.upload()
    _, first = await call(client, "POST", sent={"upload_id": upload_id, "title": "Film"})
    status, problem = await call(client, "POST", sent={"upload_id": upload_id, "title": "Film"})
    assert (status, problem["video_id"]) == (409, first["video_id"])


async def test_unknown_upload_and_unknown_video_are_404(client: Client) -> None:
    assert (await call(client, "POST", sent={"upload_id": new_id(), "title": "Film"}))[0] == 404
    for method, path, sent in (
        ("GET", "", None),
        ("PATCH", "", {"title": "x"}),
        ("DELETE", "", None),
        ("POST", "/source", {"upload_id": new_id()}),
    ):
        assert (await call(client, method, f"{VIDEOS}/{new_id()}{path}", sent))[0] == 404, method


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"title": "  "}, "title"),
        ({"title": "x" * 301}, "title"),
        ({"title": "a\x00b"}, "title"),
        ({"title": 7}, "title"),
        ({"upload_id": "../x"}, "upload_id"),
        ({"kind": "song"}, "kind"),
        ({"year": 1492}, "year"),
        ({"year": 10**30}, "year"),
        ({"genres": ["!!!"]}, "genres.0"),
        ({"genres": ["x"] * 21}, "genres"),
        ({"actors": "Bunny"}, "actors"),
        ({"description": "x" * 10_001}, "description"),
        ({"series": {"title": "S", "season": -1, "episode": 1}}, "series.season"),
        ({"surprise": 1}, "surprise"),
    ],
)
async def test_wrong_field_is_named(client: Client, wrong: dict[str, object], field: str) -> None:
    status, problem = await call(client, "POST", sent={"upload_id": new_id(), "title": "Film", **wrong})
    assert status == 422
    assert field in [error["field"] for error in problem["errors"]]


async def test_edit_changes_what_was_sent_and_clears_what_is_null(home: House, client: Client) -> None:
    path = f"{VIDEOS}/{await added(home, client)}"
    details = {"genres": ["Comedy", "comedy", "Short"], "year": 2008, "actors": ["Bunny"], "description": "One\n\nTwo"}
    _, video = await call(client, "PATCH", path, details)
    assert (video["genres"], video["year"], video["actors"]) == (["Comedy", "Short"], 2008, ["Bunny"])
    _, video = await call(client, "PATCH", path, {"title": "Bunny", "year": None, "genres": []})
    assert (video["title"], video["year"], video["genres"], video["description"]) == ("Bunny", None, [], "One\n\nTwo")
    assert (await call(client, "PATCH", path, {"title": None}))[0] == 422
    await home.settled()
    assert await home.announced(events.VideoChanged) == 2


async def test_removed_video_is_gone(home: House, client: Client) -> None:
    path = f"{VIDEOS}/{await added(home, client)}"
    assert (await call(client, "DELETE", path))[0] == 204
    assert (await call(client, "GET", path))[0] == 404
    assert (await call(client, "GET"))[1]["total"] == 0


async def test_bytes_of_a_failed_video_can_be_replaced(home: House, client: Client) -> None:
    video_id = await added(home, client, data=b"just text")
    failed = await home.catalog.video(video_id)
    upload_id = await home.upload()
    status, video = await call(client, "POST", f"{VIDEOS}/{video_id}/source", {"upload_id": upload_id})
    assert (status, video["status"], video["reason"]) == (200, "probing", None)
    source_id = await home.until_stored(upload_id)
    await home.until_source(source_id, "ready")
    assert await source_of(home, video_id) == source_id
    await home.until_source(failed.source_id or "", "removed")
    assert (await call(client, "POST", f"{VIDEOS}/{video_id}/source", {"upload_id": upload_id}))[0] == 409


async def test_facts_about_replaced_bytes_do_not_touch_the_video(home: House, client: Client) -> None:
    video_id = await added(home, client)
    old = await source_of(home, video_id)
    upload_id = await home.upload(FILM + b"!")
    await call(client, "POST", f"{VIDEOS}/{video_id}/source", {"upload_id": upload_id})
    await home.announce(events.PresentationPlayable(old, presentation(old)))
    assert (await home.catalog.video(video_id)).status == "probing"


async def test_list_has_pages_newest_first(home: House, client: Client) -> None:
    for title in ("One", "Two", "Three"):
        await call(client, "POST", sent={"upload_id": await home.upload(), "title": title})
    _, first = await call(client, "GET", f"{VIDEOS}?limit=2")
    assert ([v["title"] for v in first["results"]], first["total"], first["has_more"]) == (["Three", "Two"], 3, True)
    _, second = await call(client, "GET", f"{VIDEOS}?limit=2&page=2")
    assert ([v["title"] for v in second["results"]], second["page"], second["has_more"]) == (["One"], 2, False)
    assert (await call(client, "GET", f"{VIDEOS}?limit=101"))[0] == 422
    assert (await call(client, "GET", f"{VIDEOS}?page={10**20}"))[0] == 422


@pytest.mark.parametrize(("who", "status"), [("", 401), ("member", 403)])
async def test_only_managers_administer(home: House, who: str, status: int) -> None:
    client = await home.client(who)
    for method, path in (("GET", VIDEOS), ("GET", f"{VIDEOS}/{new_id()}"), ("GET", "/api/v1/admin/events")):
        assert (await call(client, method, path))[0] == status
    assert (await call(client, "DELETE", f"{VIDEOS}/{new_id()}"))[0] == status


async def test_same_source_imported_twice_is_one_film(home: House) -> None:
    source_id = await home.probed()
    video_id, created = await home.catalog.add_film(source_id, Details("Film"))
    assert created
    assert await home.catalog.add_film(source_id, Details("Other name")) == (video_id, False)


async def next_event(stream: StreamReader) -> tuple[str, Any]:
    """The next event of the stream that is not a comment."""
    lines: dict[str, str] = {}
    async with asyncio.timeout(10):
        while "data" not in lines:
            name, _, value = (await stream.readline()).decode().rstrip("\n").partition(": ")
            if name in ("event", "data"):
                lines[name] = value
    return lines["event"], json.loads(lines["data"])


async def until_event(stream: StreamReader, name: str, **members: object) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        event, data = await next_event(stream)
        fits = event == name and all(data[key] == value for key, value in members.items())
        return data if fits else None

    return await eventually(look)


async def test_event_stream_tells_every_change_until_the_server_ends_it(home: House, client: Client) -> None:
    async with client.get("/api/v1/admin/events") as answer:
        assert answer.content_type == "text/event-stream"
        stream = answer.content
        assert (await next_event(stream))[0] == "hello"
        video_id = await added(home, client)
        await until_event(stream, "video", video_id=video_id, duration_seconds=10.0)
        source_id = await source_of(home, video_id)
        laid = presentation(source_id)
        await home.announce(events.PresentationPlayable(source_id, laid))
        await until_event(stream, "video", status="playable")
        home.ready[laid.id] = {"v480": (4, 5)}
        home.live.publish("transcode", {"source_id": source_id, "presentation_id": laid.id})
        video = await until_event(stream, "video")
        assert video["renditions"][0]["ready"] == 4
        assert video["made"] == 0.25
        assert (video["seconds_left"], video["renditions"][0]["seconds_left"]) == (90.5, 60.5)
        await call(client, "DELETE", f"{VIDEOS}/{video_id}")
        assert await until_event(stream, "removed") == {"video_id": video_id}
        home.catalog.end_streams()
        assert (await stream.read()).strip() == b""


async def test_films_that_are_still_looked_at_are_told_of_when_the_disk_fills_up(home: House, client: Client) -> None:
    video_id = await added(home, client)
    async with client.get("/api/v1/admin/events") as answer:
        assert (await next_event(answer.content))[0] == "hello"
        home.ready[""] = {}
        home.live.publish("transcode", {"disk_full": True})
        told = await until_event(answer.content, "video", video_id=video_id, status="probing")
        assert told["waits_for"] == "1 film before it."
        home.catalog.end_streams()


async def test_streams_are_bounded(home: House, client: Client) -> None:
    with_listeners = [home.catalog.updates.listening() for _ in range(64)]
    for listener in with_listeners:
        listener.__enter__()
    answer = await client.get("/api/v1/admin/events")
    assert answer.status == 503
    for listener in with_listeners:
        listener.__exit__(None, None, None)


async def test_owner_chooses_among_the_films_pictures_and_the_choice_outlasts_them(home: House, client: Client) -> None:
    video_id = await added(home, client)
    source_id = await source_of(home, video_id)
    path, laid = f"{VIDEOS}/{video_id}", presentation(source_id)
    status, answer = await call(client, "PATCH", path, {"poster": 0})
    assert (status, answer["errors"][0]["field"]) == (422, "poster")

    folder = f"artwork/{laid.id}"
    for number in range(3):
        for place in ("poster", "backdrop"):
            await home.blobs.put(f"{folder}/{place}-{number}.jpg", f"{place} {number}".encode())
    drawn = events.ArtworkReady(source_id, f"{folder}/poster-0.jpg", f"{folder}/backdrop-1.jpg", 3)
    await home.announce(events.PresentationPlayable(source_id, laid), drawn)
    _, video = await call(client, "GET", path)
    assert [picture["number"] for picture in video["pictures"]] == [0, 1, 2]
    assert (video["poster"], video["backdrop"], video["chosen"]) == (0, 1, [])
    picture = await client.get(video["pictures"][2]["poster_url"])
    assert await picture.read() == b"poster 2"

    status, answer = await call(client, "PATCH", path, {"poster": 3})
    assert (status, answer["errors"][0]["field"]) == (422, "poster")
    assert "3, counted from 0" in answer["detail"]
    status, video = await call(client, "PATCH", path, {"poster": 2, "title": "Chosen"})
    assert (status, video["title"]) == (200, "Chosen")
    assert (video["poster"], video["backdrop"], video["chosen"]) == (2, 1, ["poster"])

    # Encoded anew: other pictures under another name, and the old ones are gone.
    await home.blobs.delete_folder(folder)
    again = presentation(source_id, "b")
    newer = events.ArtworkReady(source_id, f"artwork/{again.id}/poster-1.jpg", f"artwork/{again.id}/backdrop-0.jpg", 2)
    await home.announce(events.PresentationPlayable(source_id, again), newer)
    _, video = await call(client, "GET", path)
    picture = await client.get(video["thumbnail_url"])
    assert (picture.status, await picture.read()) == (200, b"poster 2")
    assert (video["poster"], video["backdrop"], video["chosen"]) == (None, 0, ["poster"])
    status, answer = await call(client, "PATCH", path, {"backdrop": 1})
    assert (status, answer["detail"]) == (409, "This picture is being made anew; choose again in a moment.")

    _, video = await call(client, "PATCH", path, {"poster": None})
    assert (video["poster"], video["chosen"]) == (1, [])
    assert (await client.delete(path)).status == 204
    await home.settled()
    assert [info.key async for info in home.blobs.list(f"artwork/{video_id}")] == []
