from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.web.conftest import Answer, Serve, Site


import pytest
from pydantic import BaseModel, Field

from ottserver.ids import new_id
from ottserver.web.adapt import BODY_LIMIT
from ottserver.web.routing import Access, Call, Cookie, NoBody, NoQuery, Page, Reply, RequestModel, Route


class Film(RequestModel):
    title: str = Field(min_length=1, max_length=50)
    year: int | None = None
    rating: float | None = None
    tags: tuple[str, ...] = ()
    nested: Any = None


class FilmView(BaseModel):
    title: str
    rating: float | None


async def _make(call: Call[Film, NoQuery]) -> Reply:
    return Reply(FilmView(title=call.body.title, rating=call.body.rating))


async def _list(call: Call[NoBody, Page]) -> Reply:
    return Reply({"page": call.query.page, "limit": call.query.limit})


async def _one(call: Call[NoBody, NoQuery]) -> Reply:
    return Reply({"film_id": call.path["film_id"]})


async def _cookie(_call: Call[NoBody, NoQuery]) -> Reply:
    return Reply(cookies=(Cookie("c", "v", 60, "/api"),), status=204)


ROUTES = [
    Route("POST", "/films", _make, "Make", access=Access.PUBLIC, body=Film, status=201),
    Route("GET", "/films", _list, "List", access=Access.PUBLIC, query=Page),
    Route("GET", "/films/{film_id}", _one, "One", access=Access.PUBLIC),
    Route("GET", "/cookie", _cookie, "Cookie", access=Access.PUBLIC),
]

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def site(serve: Serve) -> Site:
    return await serve(ROUTES)


async def _post(site: Site, body: str | bytes) -> Answer:
    return await site.call("POST", "/films", data=body, headers=JSON)


async def test_valid_body_reaches_the_handler(site: Site) -> None:
    answer = await _post(site, '{"title": "Sintel", "rating": 4.5}')
    assert (answer.status, answer.json) == (201, {"title": "Sintel", "rating": 4.5})
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"title": 5}', "title"),
        ('{"title": ""}', "title"),
        ("{}", "title"),
        ("", "title"),
        ('{"title": "a", "year": "soon"}', "year"),
        ('{"title": "a", "year": 1e999}', "year"),
        ('{"title": "a", "rating": NaN}', "rating"),
        ('{"title": "a", "rating": -Infinity}', "rating"),
        ('{"title": "a", "tags": ["x", 5]}', "tags.1"),
        ('{"title": "a", "colour": 1}', "colour"),
        ("[]", "body"),
        ("null", "body"),
        ('"text"', "body"),
    ],
)
async def test_value_that_does_not_fit_names_its_field(site: Site, body: str, field: str) -> None:
    found = (await _post(site, body)).problem(422)
    assert found["errors"][0]["field"] == field
    assert field in found["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{'title': 1}",
        b'{"title": "a"} x',
        b'{"title": "\xff"}',
        b'{"title": "\\ud800"}',
        b'{"title": "a", "nested": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b"\x00",
    ],
)
async def test_what_is_not_json_is_malformed(site: Site, body: bytes) -> None:
    (await _post(site, body)).problem(400)


async def test_last_of_two_equal_keys_counts(site: Site) -> None:
    assert (await _post(site, '{"title": "a", "title": "b"}')).json["title"] == "b"


async def test_made_up_field_names_are_repeated_only_in_part(site: Site) -> None:
    found = (await _post(site, json.dumps({"title": "a", "x" * 100_000: 1}))).problem(422)
    assert len(found["detail"]) < 1000


async def test_another_media_type_is_unsupported(site: Site) -> None:
    answer = await site.call("POST", "/films", data=b"title=a", headers={"Content-Type": "text/plain"})
    assert "text/plain" in answer.problem(415)["detail"]


async def test_compressed_body_is_unsupported(site: Site) -> None:
    answer = await site.call("POST", "/films", data=b"\x1f\x8b...", headers={**JSON, "Content-Encoding": "gzip"})
    answer.problem(415)


async def test_body_too_large_by_its_content_length_is_refused(site: Site) -> None:
    (await _post(site, b" " * (BODY_LIMIT + 1))).problem(413)


async def test_body_too_large_without_content_length_is_refused(site: Site) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b" " * (BODY_LIMIT // 8)

    (await site.call("POST", "/films", data=chunks(), headers=JSON)).problem(413)


async def test_body_of_exactly_the_limit_is_read(site: Site) -> None:
    body = b'{"title": "a"}'
    assert (await _post(site, body + b" " * (BODY_LIMIT - len(body)))).status == 201


async def test_body_that_never_comes_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ottserver.web.adapt.BODY_SECONDS", 0.05)
    site = await serve(ROUTES)
    head = b"POST /films HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"
    async with asyncio.timeout(10):
        (await site.raw(head + b"{")).problem(408)


@pytest.mark.parametrize(
    ("query", "expected"),
    [("", (1, 20)), ("?page=3&limit=100", (3, 100)), ("?limit=5&unknown=x", (1, 5)), ("?limit=1&limit=2", (1, 2))],
)
async def test_lists_are_paged(site: Site, query: str, expected: tuple[int, int]) -> None:
    answer = await site.call("GET", f"/films{query}")
    assert (answer.json["page"], answer.json["limit"]) == expected


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=1000001", "page"),
        ("limit=101", "limit"),
        ("limit=0", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=%FF", "limit"),
        ("limit=1%00", "limit"),
        ("page=" + "9" * 5000, "page"),
    ],
)
async def test_query_that_does_not_fit_names_its_field(site: Site, query: str, field: str) -> None:
    assert (await site.call("GET", f"/films?{query}")).problem(422)["errors"][0]["field"] == field


async def test_id_in_the_path_reaches_the_handler(site: Site) -> None:
    film_id = new_id()
    assert (await site.call("GET", f"/films/{film_id}")).json == {"film_id": film_id}


@pytest.mark.parametrize(
    "text", ["1", "x" * 36, "%00", "%FF", "..%2F..", "0190C0DE-0000-7000-8000-00000000000A", "%7B%7D"]
)
async def test_path_part_that_is_no_id_is_not_found(site: Site, text: str) -> None:
    (await site.call("GET", f"/films/{text}")).problem(404)


async def test_head_answers_like_get_without_a_body(site: Site) -> None:
    answer = await site.call("HEAD", "/films")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0


@pytest.mark.parametrize("secure", [False, True])
async def test_cookies_are_closed_to_scripts_and_other_sites(serve: Serve, secure: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    site = await serve(ROUTES, secure=secure)
    cookie = (await site.call("GET", "/cookie")).headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/api", "Max-Age=60"} <= set(cookie.split("; "))
    assert ("Secure" in cookie) == secure
