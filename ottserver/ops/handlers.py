"""Routes for whoever runs the server."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from pydantic import BaseModel

from ottserver.errors import OttError
from ottserver.web.routing import Access, Call, NoBody, NoQuery, Reply, Route, Routes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ottserver.ops.service import OpsService


class Health(BaseModel):
    """The process lives."""

    status: str


class ReadinessView(BaseModel):
    """Whether the process can serve, and the state of each backend."""

    status: str
    backends: dict[str, str]
    disk: Literal["ok", "full"]
    """Full: uploads and encoding ahead of time wait for room; playing goes on."""


class Facts(Protocol):
    """What metrics ask of the bus."""

    async def parked(self) -> Sequence[object]:
        """Every fact that a consumer could not digest."""
        ...


def routes(
    service: OpsService, registry: CollectorRegistry, facts: Facts, document: Callable[[], dict[str, Any]]
) -> Routes:
    """Health, readiness, metrics and the contract; `document` gives the OpenAPI document."""
    free = Gauge("ott_disk_free_bytes", "Room on the fullest disk that holds films or the database", registry=registry)
    full = Gauge("ott_disk_full", "1 while uploads and encoding ahead wait for room", registry=registry)
    parked = Gauge("ott_parked_facts", "Facts that wait for a person: see `facts list`", registry=registry)

    async def health(_call: Call[NoBody, NoQuery]) -> Reply:
        return Reply(Health(status="ok"))

    async def ready(_call: Call[NoBody, NoQuery]) -> Reply:
        found = await service.readiness()
        view = ReadinessView(
            status="ready" if found.ready else "not ready",
            backends=dict(found.backends),
            disk="full" if found.disk.full else "ok",
        )
        return Reply(view, status=200 if found.ready else 503, headers={} if found.ready else {"Retry-After": "5"})

    async def metrics(_call: Call[NoBody, NoQuery]) -> web.Response:
        with suppress(OttError):  # the database is away: the figure stays as it was last seen
            parked.set(len(await facts.parked()))
        with suppress(OttError):
            disk = await service.disk()
            full.set(disk.full)
            if disk.free is not None:
                free.set(disk.free)
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    async def openapi(_call: Call[NoBody, NoQuery]) -> Reply:
        return Reply(document(), headers={"Cache-Control": "no-cache"})

    return [
        Route("GET", "/healthz", health, "The process lives", access=Access.PUBLIC, answer=Health),
        Route(
            "GET",
            "/readyz",
            ready,
            "It can serve; says which backend is down",
            access=Access.PUBLIC,
            answer=ReadinessView,
            errors=(503,),
        ),
        Route("GET", "/metrics", metrics, "Prometheus metrics", access=Access.PUBLIC, produces="text/plain"),
        Route("GET", "/api/v1/openapi.json", openapi, "This document", access=Access.PUBLIC),
    ]
