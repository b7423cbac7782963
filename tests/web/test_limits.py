from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from limits import RateLimitItemPerMinute

from ottserver.errors import NotAuthenticated
from ottserver.web import limits
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
    monkeypatch.setitem(limits.POLICIES, "sign-in", RateLimitItemPerMinute(2))


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


@pytest.mark.parametrize(
    ("address", "whom"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "unknown"),
        ("", "unknown"),
    ],
)
def test_one_household_is_one_caller(address: str | None, whom: str) -> None:
    assert limits.household(address) == whom
