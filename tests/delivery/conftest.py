"""The media routes on a real socket, over an in-memory blob store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from ottserver.backends.blobs import open_blobs
from ottserver.delivery.gate import routes as gate_routes
from ottserver.delivery.handlers import routes
from ottserver.delivery.metrics import DeliveryMetrics
from ottserver.delivery.service import Delivery
from ottserver.delivery.tickets import Tickets
from ottserver.delivery.verdicts import Gate
from ottserver.web.guards import Guard
from ottserver.web.limits import RateLimits
from ottserver.web.server import build_application
from tests.delivery.films import SESSION_ID, VIDEO_ID, Library, Nobody, StoredSegments, presentation, store
from tests.delivery.two_ways import TwoWays, prepared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp import web
    from aiohttp.test_utils import TestClient
    from pytest_aiohttp.plugin import AiohttpClient

    from ottserver.media import Presentation


@dataclass
class Stage:
    """Everything a test of the media routes touches."""

    client: TestClient[web.Request, web.Application]
    tickets: Tickets
    film: Presentation
    segments: StoredSegments
    library: Library
    delivery: Delivery
    registry: CollectorRegistry

    def ticket(self, *, max_height: int = 1080, video_id: str = VIDEO_ID, session_id: str = SESSION_ID) -> str:
        return self.tickets.issue(
            session_id=session_id, video_id=video_id, presentation_id=self.film.id, max_height=max_height
        )

    def url(self, inside: str, *, max_height: int = 1080) -> str:
        """Address of what follows the video; `{p}` stands for the presentation."""
        return f"/media/{self.ticket(max_height=max_height)}/{VIDEO_ID}/{inside.format(p=self.film.id)}"


@pytest.fixture
def origins() -> tuple[str, ...]:
    """The configured origins; tests of CORS override it."""
    return ()


@pytest.fixture
async def stage(aiohttp_client: AiohttpClient, tmp_path: Path, origins: tuple[str, ...]) -> AsyncIterator[Stage]:
    """A film of three segments in five renditions."""
    film = presentation()
    registry = CollectorRegistry()
    metrics = DeliveryMetrics(registry)
    tickets = Tickets(b"a secret of thirty-two bytes ...", lifetime_seconds=3600)
    async with open_blobs("memory://", tmp_path) as blobs:
        await store(blobs, film)
        segments, library = StoredSegments(blobs), Library({film.id: film})
        delivery = Delivery(
            tickets=tickets, segments=segments, presentations=library, metrics=metrics, cache_bytes=1_000_000
        )
        application = build_application(
            [*routes(delivery, metrics, origins), *gate_routes(Gate(delivery, tickets), origins)],
            Guard(Nobody(), ""),
            RateLimits(on=False),
            secure_cookies=False,
        )
        client = await aiohttp_client(application, server_kwargs={"handler_cancellation": True})
        yield Stage(client, tickets, film, segments, library, delivery, registry)
        await delivery.close()


@pytest.fixture
async def ways(tmp_path: Path) -> AsyncIterator[TwoWays]:
    """Two servers of one film, one of which answers at once what it can."""
    async with prepared(tmp_path) as ways:
        yield ways
