from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from limits import RateLimitItemPerMinute

from ottserver.errors import NotAuthenticated
from ottserver.web import limits
from ottserver.web.clients import Proxies
from ottserver.web.counters import BoundedStorage
from ottserver.web.routing import Access, Call, NoBody, NoQuery, Reply, Route

if TYPE_CHECKING:
    from tests.web.conftest import Serve


async def _ok(_call: Call[NoBody, NoQuery]) -> Reply:
    return Reply({})


async def _fail(_call: Call[NoBody, NoQuery]) -> Reply:
    raise NotAuthenticated("No.")


ROUTES = [
    Route("POST", "/ok", _ok, "Ok", access=Access.PUBLIC, limit="sign-in"),
    Route("POST", "/fail", _fail, "Fail", access=Access.PUBLIC, limit="sign-in"),
]


@pytest.fixture(autouse=True)
def _two_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(limits.POLICIES, "sign-in", limits.Policy(RateLimitItemPerMinute(2)))


async def test_third_try_of_two_a_minute_is_refused(serve: Serve) -> None:
    site = await serve(ROUTES, limits=True)
    assert (await site.call("POST", "/ok")).headers["RateLimit"].startswith('"sign-in";r=1;t=')
    failed = await site.call("POST", "/fail")
    failed.problem(401)
    assert failed.headers["RateLimit"].startswith('"sign-in";r=0;t=')
    refused = await site.call("POST", "/ok")
    refused.problem(429)
    assert refused.headers["RateLimit-Policy"] == '"sign-in";q=2;w=60'
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


async def test_switched_off_they_say_nothing(serve: Serve) -> None:
    site = await serve(ROUTES, limits=False)
    for _ in range(5):
        answer = await site.call("POST", "/ok")
        assert answer.status == 200
        assert "RateLimit" not in answer.headers


async def test_account_is_counted_wherever_it_calls_from(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(limits.POLICIES, "play", limits.Policy(account=(RateLimitItemPerMinute(2),)))
    site = await serve([Route("GET", "/play", _ok, "Play", limit="play")], limits=True)
    member, admin = ({"Authorization": f"Bearer {name}"} for name in ("member", "admin"))
    for number in range(2):
        answer = await site.call("GET", "/play", headers={**member, "X-Forwarded-For": f"203.0.113.{number}"})
        assert answer.headers["RateLimit"].startswith(f'"play-account";r={1 - number};t=')
    refused = await site.call("GET", "/play", headers={**member, "X-Forwarded-For": "203.0.113.9"})
    assert "Too many" in refused.problem(429)["title"]
    assert (await site.call("GET", "/play", headers=admin)).status == 200


async def test_people_behind_a_proxy_are_counted_apart_and_cannot_pretend(serve: Serve) -> None:
    site = await serve(ROUTES, limits=True, proxies=Proxies(["127.0.0.0/8"]))

    async def from_(forwarded: str) -> int:
        return (await site.call("POST", "/ok", headers={"X-Forwarded-For": forwarded})).status

    assert [await from_("203.0.113.9") for _ in range(3)] == [200, 200, 429]
    assert await from_("203.0.113.10") == 200
    assert [await from_(f"198.51.100.{n}, 203.0.113.11") for n in range(3)] == [200, 200, 429]


async def test_whoever_is_no_proxy_is_counted_by_its_own_address(serve: Serve) -> None:
    site = await serve(ROUTES, limits=True)
    found = [(await site.call("POST", "/ok", headers={"X-Forwarded-For": f"203.0.113.{n}"})).status for n in range(3)]
    assert found == [200, 200, 429]


async def test_storage_that_is_away_lets_this_process_count_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Away(BoundedStorage):
        STORAGE_SCHEME = ["async+away"]  # noqa: RUF012 - the base's way to name its URL

        async def acquire_entry(self, *_arguments: object, **_named: object) -> bool:
            raise ConnectionError

    monkeypatch.setattr(limits, "open_storage", lambda _url: Away())
    counted = limits.RateLimits(on=True)
    granted = [(await counted.of_address("203.0.113.9", "sign-in"))[0].granted for _ in range(3)]
    assert granted == [True, True, False]


def test_calls_of_the_api_are_limited_and_files_and_media_are_not() -> None:
    assert Route("GET", "/api/v1/home", _ok, "Home").policy == "api"
    assert Route("GET", "/media/{address:.*}", _ok, "Media", raw=True).policy is None
    assert Route("GET", "/", _ok, "Page", raw=True).policy is None
