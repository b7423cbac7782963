"""Routes of a test's own on a real socket, served as the program serves its own."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from ottserver.errors import NotAuthenticated
from ottserver.identity import Principal
from ottserver.web.guards import Guard
from ottserver.web.limits import RateLimits
from ottserver.web.server import build_application, make_runner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ottserver.web.bounds import Bounds
    from ottserver.web.clients import Proxies
    from ottserver.web.routing import Routes

MEMBER = Principal("0190c0de-0000-7000-8000-000000000001", "member", "0190c0de-0000-7000-8000-000000000003")
ADMIN = Principal("0190c0de-0000-7000-8000-000000000002", "admin", "0190c0de-0000-7000-8000-000000000004")


class TwoPeople:
    """Knows the tokens "member" and "admin"."""

    async def authenticate(self, token: str) -> Principal:
        found = {"member": MEMBER, "admin": ADMIN}.get(token)
        if found is None:
            raise NotAuthenticated("The access token is not valid.")
        return found


@dataclass(frozen=True)
class Answer:
    """A response, read to its end."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    def problem(self, status: int) -> dict[str, Any]:
        """The problem document of RFC 9457 that this answer must be."""
        assert self.status == status, self.body
        assert self.headers["Content-Type"].startswith("application/problem+json")
        assert self.headers["X-Request-Id"]
        found = self.json
        assert found["status"] == status
        assert {"type", "title", "detail"} <= set(found)
        assert "Traceback" not in found["detail"]
        return found


@dataclass(frozen=True)
class Site:
    """A running server."""

    session: aiohttp.ClientSession
    port: int

    async def call(
        self, method: str, path: str, *, data: object = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """One request; `path` is sent as it is written."""
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.session.request(method, URL(url, encoded=True), data=data, headers=headers) as response:
            return Answer(response.status, response.headers, await response.read())

    async def raw(self, data: bytes) -> Answer:
        """Bytes on a connection of their own; the first response that comes back."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {
                name.title().replace("Etag", "ETag"): value for name, _, value in (x.partition(": ") for x in lines)
            }
            body = await reader.readexactly(int(headers.get("Content-Length", "0")))
            return Answer(int(first.split()[1]), headers, body)
        finally:
            writer.close()


class Serve(Protocol):
    """Serves routes until the test ends."""

    async def __call__(
        self,
        routes: Routes,
        *,
        public_url: str = "",
        limits: bool = False,
        secure: bool = False,
        proxies: Proxies | None = None,
        bounds: Bounds | None = None,
    ) -> Site:
        """The running server."""
        ...


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def start(
            routes: Routes,
            *,
            public_url: str = "",
            limits: bool = False,
            secure: bool = False,
            proxies: Proxies | None = None,
            bounds: Bounds | None = None,
        ) -> Site:
            guard = Guard(TwoPeople(), public_url)
            application = build_application(
                routes, guard, RateLimits(on=limits), secure_cookies=secure, proxies=proxies
            )
            runner = make_runner(application, bounds=bounds, shutdown_seconds=2)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            session = await stack.enter_async_context(
                aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar())
            )
            return Site(session, runner.addresses[0][1])

        yield start
