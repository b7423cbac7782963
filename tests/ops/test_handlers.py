from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry, Counter

from ottserver.backends.blobs.space import Room
from ottserver.errors import NotAuthenticated
from ottserver.ops import service as ops
from ottserver.ops.handlers import routes
from ottserver.ops.service import OpsService
from ottserver.web.guards import Guard
from ottserver.web.limits import RateLimits
from ottserver.web.openapi import build_document
from ottserver.web.server import build_application

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient
    from pytest_aiohttp.plugin import AiohttpClient

    from ottserver.identity import Principal


class Nobody:
    """These routes never ask who is calling."""

    async def authenticate(self, token: str) -> Principal:
        raise NotAuthenticated(token)


@dataclass
class Backend:
    """A backend that is up, down or silent, as the test says."""

    state: str = "up"
    asked: int = 0

    async def check(self) -> None:
        self.asked += 1
        if self.state == "down":
            raise ConnectionRefusedError("password=hunter2")
        if self.state == "silent":
            await asyncio.Event().wait()


@dataclass
class Stage:
    client: TestClient[Any, Any]
    database: Backend
    blobs: Backend
    draining: asyncio.Event
    disks: Disks

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.client.get(path) as response:
            return response.status, await response.json()


class Disks:
    """Disks with as much room as the test says."""

    room = Room(free=7_000, reserve=1_000)

    async def look(self) -> Room:
        return self.room


class Parking:
    """A bus on which two facts are parked."""

    async def parked(self) -> list[str]:
        return ["one", "two"]


@pytest.fixture
async def stage(aiohttp_client: AiohttpClient) -> Stage:
    database, blobs, draining, disks = Backend(), Backend(), asyncio.Event(), Disks()
    registry = CollectorRegistry()
    Counter("films_played", "Films that were played.", registry=registry).inc(3)
    service = OpsService({"database": database, "blobs": blobs}, draining, disks)
    table = routes(service, registry, Parking(), lambda: build_document(table, "1.2.3"))
    application = build_application(table, Guard(Nobody(), ""), RateLimits(on=False), secure_cookies=False)
    return Stage(await aiohttp_client(application), database, blobs, draining, disks)


async def test_process_that_lives_says_so(stage: Stage) -> None:
    stage.database.state = "down"
    assert await stage.get("/healthz") == (200, {"status": "ok"})


async def test_server_is_ready_when_every_backend_is(stage: Stage) -> None:
    assert await stage.get("/readyz") == (
        200,
        {"status": "ready", "backends": {"database": "ok", "blobs": "ok"}, "disk": "ok"},
    )


async def test_full_disk_is_told_and_leaves_the_server_ready(stage: Stage) -> None:
    stage.disks.room = Room(free=1_000, reserve=1_000)
    status, answer = await stage.get("/readyz")
    assert (status, answer["status"], answer["disk"]) == (200, "ready", "full")
    async with stage.client.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    assert {"ott_disk_full 1.0", "ott_disk_free_bytes 1000.0"} <= set(lines)


async def test_backend_that_is_down_is_named_and_its_inside_is_not_told(stage: Stage) -> None:
    stage.database.state = "down"
    status, answer = await stage.get("/readyz")
    assert (status, answer["status"]) == (503, "not ready")
    assert answer["backends"] == {"database": "cannot be reached", "blobs": "ok"}


async def test_backend_that_is_silent_is_not_waited_for(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "CHECK_SECONDS", 0.01)
    stage.blobs.state = "silent"
    status, answer = await stage.get("/readyz")
    assert status == 503
    assert answer["backends"]["blobs"] == "did not answer within 0.01 seconds"


async def test_server_that_shuts_down_is_not_ready(stage: Stage) -> None:
    stage.draining.set()
    status, answer = await stage.get("/readyz")
    assert status == 503
    assert answer["backends"]["process"] == "shutting down"


async def test_many_who_ask_at_once_burden_the_backends_once(stage: Stage) -> None:
    answers = await asyncio.gather(*(stage.get("/readyz") for _ in range(20)))
    assert {status for status, _ in answers} == {200}
    assert stage.database.asked == 1


async def test_backend_that_is_up_again_is_seen(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "FRESH_SECONDS", 0.0)
    stage.database.state = "down"
    assert (await stage.get("/readyz"))[0] == 503
    stage.database.state = "up"
    assert (await stage.get("/readyz"))[0] == 200


async def test_metrics_are_in_the_format_that_prometheus_reads(stage: Stage) -> None:
    async with stage.client.get("/metrics") as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        text = await response.text()
    assert "films_played_total 3.0" in text
    assert "ott_parked_facts 2.0" in text


async def test_contract_describes_these_routes(stage: Stage) -> None:
    status, document = await stage.get("/api/v1/openapi.json")
    assert status == 200
    assert {"/healthz", "/readyz", "/metrics", "/api/v1/openapi.json"} <= document["paths"].keys()
