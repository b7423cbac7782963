from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ottserver.accounts.handlers import routes
from ottserver.backends.cache import open_cache
from ottserver.backends.database import open_database
from ottserver.web.guards import Guard
from ottserver.web.limits import RateLimits
from ottserver.web.server import build_application
from tests.accounts.support import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp.test_utils import TestClient
    from pytest_aiohttp import AiohttpClient

    from ottserver.accounts.service import AccountService
    from ottserver.backends.cache import Cache
    from ottserver.backends.database import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(f"sqlite:///{tmp_path}/ott.db") as opened:
        yield opened


@pytest.fixture
async def cache() -> AsyncIterator[Cache]:
    async with open_cache("memory://") as opened:
        yield opened


@pytest.fixture
async def service(database: Database, cache: Cache) -> AsyncIterator[AccountService]:
    async with running(database, cache) as started:
        yield started


@pytest.fixture
async def client(service: AccountService, aiohttp_client: AiohttpClient) -> TestClient[Any, Any]:
    return await aiohttp_client(
        build_application(routes(service), Guard(service, ""), RateLimits(on=False), secure_cookies=False)
    )
