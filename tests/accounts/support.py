"""A server's accounts without the server, and people to sign in."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ottserver.accounts.models import AccountSettings
from ottserver.accounts.service import AccountService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.test_utils import TestClient

    from ottserver.accounts.guessing import Windows
    from ottserver.backends.cache import Cache
    from ottserver.backends.database import Database

SETTINGS = AccountSettings(secret=b"a secret of thirty-two bytes long", bcrypt_rounds=4)
PASSWORD = "correct horse battery"


async def echo(account_id: str) -> object:
    """Another room's part of an export."""
    return {"account_id": account_id}


@asynccontextmanager
async def running(
    database: Database, cache: Cache, settings: AccountSettings = SETTINGS, windows: Windows | None = None
) -> AsyncIterator[AccountService]:
    """Accounts from a server's start to its end."""
    service = AccountService(database, cache, settings, exporters={"echo": echo}, windows=windows)
    await service.open()
    try:
        yield service
    finally:
        await service.close()


@dataclass(frozen=True)
class Person:
    """Somebody with a browser or an app."""

    client: TestClient[Any, Any]
    user_id: str
    token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        """What proves who they are."""
        return {"Authorization": f"Bearer {self.token}"}

    async def status(self, method: str, path: str) -> int:
        """Call the API as this person; the answer's status."""
        async with self.client.request(method, f"/api/v1/{path}", headers=self.headers) as response:
            await response.read()
            return response.status


async def call(
    client: TestClient[Any, Any], method: str, path: str, body: object = None, **headers: str
) -> tuple[int, Any]:
    """Status and JSON of one call."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.request(method, f"/api/v1/{path}", json=body, headers=named) as response:
        return response.status, await response.json() if response.status != 204 else None


async def person(client: TestClient[Any, Any], email: str = "ada@example.com", door: str = "register") -> Person:
    """Sign somebody up, or in."""
    body = {"email": email, "password": PASSWORD} | ({"name": "Ada"} if door == "register" else {})
    status, answer = await call(client, "POST", door, body)
    assert status in (200, 201), answer
    return Person(client, answer["user_id"], answer["token"], answer["refresh_token"])
