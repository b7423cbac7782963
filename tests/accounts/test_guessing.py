from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ottserver.accounts.handlers import routes
from ottserver.web.clients import Proxies
from ottserver.web.guards import Guard
from ottserver.web.limits import RateLimits
from ottserver.web.server import build_application
from tests.accounts.support import PASSWORD, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.test_utils import TestClient
    from pytest_aiohttp import AiohttpClient

    from ottserver.backends.cache import Cache
    from ottserver.backends.database import Database

OWNER = "ada@example.org"
HOME, AWAY = "203.0.113.9", "198.51.100.200"


@asynccontextmanager
async def _site(database: Database, cache: Cache, aiohttp_client: AiohttpClient) -> AsyncIterator[TestClient[Any, Any]]:
    limits = RateLimits(on=True, people=50)
    async with running(database, cache, windows=limits) as service:
        application = build_application(
            routes(service), Guard(service, ""), limits, secure_cookies=False, proxies=Proxies(["127.0.0.1"])
        )
        client = await aiohttp_client(application)
        body = {"email": OWNER, "password": PASSWORD, "name": "Ada"}
        async with client.post("/api/v1/register", json=body) as answer:
            assert answer.status == 201
        client.session.cookie_jar.clear()
        yield client


async def _sign_in(
    client: TestClient[Any, Any], address: str, password: str = PASSWORD, email: str = OWNER, *, web: bool = False
) -> int:
    headers = {"X-Forwarded-For": address} | ({"X-OTT-Web": "1"} if web else {})
    async with client.post("/api/v1/login", json={"email": email, "password": password}, headers=headers) as answer:
        assert answer.status != 429 or int(answer.headers["Retry-After"]) > 0
        return answer.status


async def _guess(client: TestClient[Any, Any], times: int, email: str = OWNER) -> list[int]:
    """Each from an address of its own."""
    return [await _sign_in(client, f"198.51.100.{n}", "not the password", email) for n in range(times)]


async def test_guesser_with_many_addresses_is_stopped_and_learns_nothing(
    database: Database, cache: Cache, aiohttp_client: AiohttpClient
) -> None:
    async with _site(database, cache, aiohttp_client) as client:
        assert await _guess(client, 12) == [401] * 10 + [429] * 2
        assert await _guess(client, 12, "nobody@example.org") == [401] * 10 + [429] * 2
        assert await _guess(client, 1, "  ADA@example.org ") == [429]
        assert await _sign_in(client, AWAY) == 429


async def test_owner_goes_on_at_home_and_in_a_known_browser_while_strangers_guess(
    database: Database, cache: Cache, aiohttp_client: AiohttpClient
) -> None:
    async with _site(database, cache, aiohttp_client) as client:
        assert await _sign_in(client, HOME, web=True) == 200
        assert (await _guess(client, 12))[-1] == 429
        assert await _sign_in(client, HOME) == 200
        assert await _sign_in(client, AWAY, web=True) == 200
        client.session.cookie_jar.clear()
        assert await _sign_in(client, "192.0.2.77", web=True) == 429


async def test_known_browser_is_no_key_to_endless_guessing_nor_to_another_account(
    database: Database, cache: Cache, aiohttp_client: AiohttpClient
) -> None:
    async with _site(database, cache, aiohttp_client) as client:
        assert await _sign_in(client, HOME, web=True) == 200
        tries = [await _sign_in(client, AWAY, "not the password", web=True) for _ in range(12)]
        assert tries == [401] * 10 + [429] * 2
        others = [await _sign_in(client, AWAY, "a guess", "bob@example.org", web=True) for _ in range(12)]
        assert others == [401] * 10 + [429] * 2


async def test_signing_in_forgives_the_mistyped_tries_before_it(
    database: Database, cache: Cache, aiohttp_client: AiohttpClient
) -> None:
    async with _site(database, cache, aiohttp_client) as client:
        for place in range(3):
            assert await _guess(client, 8) == [401] * 8
            assert await _sign_in(client, f"192.0.2.{place}") == 200
