from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ottserver.web.guards import ACCESS_COOKIE, WEB_HEADER
from ottserver.web.routing import Access, Call, NoBody, NoQuery, Reply, Route

if TYPE_CHECKING:
    from tests.web.conftest import Serve, Site


async def _who(call: Call[NoBody, NoQuery]) -> Reply:
    return Reply({"role": call.caller.role if call.caller else None})


ROUTES = [
    Route(method, f"/{access.value}", _who, "Who", access=access) for access in Access for method in ("GET", "POST")
]


@pytest.fixture
async def site(serve: Serve) -> Site:
    return await serve(ROUTES, public_url="https://films.example")


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _cookie(token: str, **headers: str) -> dict[str, str]:
    return {"Cookie": f"{ACCESS_COOKIE}={token}", **{name.replace("_", "-"): value for name, value in headers.items()}}


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/public", "", 200),
        ("/public", "member", 200),
        ("/public", "forged", 200),
        ("/account", "", 401),
        ("/account", "forged", 401),
        ("/account", "member", 200),
        ("/account", "admin", 200),
        ("/manager", "", 401),
        ("/manager", "member", 403),
        ("/manager", "admin", 200),
    ],
)
async def test_routes_admit_those_they_are_for(site: Site, path: str, token: str, status: int) -> None:
    answer = await site.call("POST", path, headers=_bearer(token) if token else {})
    assert answer.status == status
    if status != 200:
        answer.problem(status)


async def test_public_route_knows_who_calls_it(site: Site) -> None:
    assert (await site.call("GET", "/public", headers=_bearer("member"))).json == {"role": "member"}
    assert (await site.call("GET", "/public", headers=_bearer("forged"))).json == {"role": None}


@pytest.mark.parametrize("header", ["member", "Basic bWVtYmVy", "Bearer", "Bearer ", "bearer\tmember", ""])
async def test_other_schemes_are_not_authenticated(site: Site, header: str) -> None:
    answer = await site.call("GET", "/account", headers={"Authorization": header})
    answer.problem(401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_scheme_is_read_in_any_case(site: Site) -> None:
    assert (await site.call("GET", "/account", headers={"Authorization": "bEARER  member"})).status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({WEB_HEADER: "1"}, 200),
        ({WEB_HEADER: "1", "Sec-Fetch-Site": "same-origin"}, 200),
        ({WEB_HEADER: "1", "Sec-Fetch-Site": "none"}, 200),
        ({WEB_HEADER: "1", "Sec-Fetch-Site": "cross-site"}, 403),
        ({WEB_HEADER: "1", "Sec-Fetch-Site": "same-site"}, 403),
        ({WEB_HEADER: "1", "Origin": "https://films.example"}, 200),
        ({WEB_HEADER: "1", "Origin": "https://FILMS.example"}, 200),
        ({WEB_HEADER: "1", "Origin": "https://evil.example"}, 403),
        ({WEB_HEADER: "1", "Origin": "https://films.example.evil.example"}, 403),
        ({WEB_HEADER: "1", "Origin": "https://films.example:8443"}, 403),
        ({WEB_HEADER: "1", "Origin": "null"}, 403),
        ({WEB_HEADER: "1", "Origin": "http://[::1"}, 403),
        ({WEB_HEADER: "1", "Origin": ""}, 403),
    ],
)
async def test_cookie_alone_changes_nothing(site: Site, headers: dict[str, str], status: int) -> None:
    answer = await site.call("POST", "/account", headers=_cookie("member") | headers)
    assert answer.status == status
    if status == 403:
        answer.problem(403)


async def test_origin_that_is_the_host_is_ours_without_a_public_address(serve: Serve) -> None:
    site = await serve(ROUTES)
    headers = _cookie("member") | {WEB_HEADER: "1"}
    own = {"Origin": f"http://127.0.0.1:{site.port}"}
    assert (await site.call("POST", "/account", headers=headers | own)).status == 200
    (await site.call("POST", "/account", headers=headers | {"Origin": "null"})).problem(403)


async def test_cookie_reads_without_the_header(site: Site) -> None:
    assert (await site.call("GET", "/account", headers=_cookie("member"))).status == 200


async def test_cookie_without_the_header_is_nobody_on_a_public_route(site: Site) -> None:
    assert (await site.call("POST", "/public", headers=_cookie("member"))).json == {"role": None}


async def test_page_of_another_site_cannot_use_a_public_route_as_the_web_app(site: Site) -> None:
    headers = {WEB_HEADER: "1", "Sec-Fetch-Site": "cross-site"}
    (await site.call("POST", "/public", headers=headers)).problem(403)


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}])
async def test_bearer_token_works_from_anywhere(site: Site, headers: dict[str, str]) -> None:
    assert (await site.call("POST", "/account", headers=_bearer("member") | headers)).status == 200


async def test_bearer_token_wins_over_a_cookie(site: Site) -> None:
    answer = await site.call("POST", "/account", headers=_cookie("admin") | _bearer("member"))
    assert answer.json == {"role": "member"}
    (await site.call("POST", "/account", headers=_cookie("admin") | _bearer("forged"))).problem(401)


@pytest.mark.parametrize("cookie", ['a="', "=;=;=", ACCESS_COOKIE, f'{ACCESS_COOKIE}="mem'])
async def test_broken_cookies_are_nobody(site: Site, cookie: str) -> None:
    (await site.call("GET", "/account", headers={"Cookie": cookie})).problem(401)
