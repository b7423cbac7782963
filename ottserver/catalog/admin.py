"""The catalog for owners and admins over HTTP, with its event stream."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from ottserver.catalog import answers
from ottserver.catalog.requests import SourceBody, VideoBody, VideoChange
from ottserver.errors import NotFound, OttError
from ottserver.media import Outlook
from ottserver.web.routing import Access, Call, NoBody, NoQuery, Page, Reply, Route, Routes

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ottserver.catalog.models import Video
    from ottserver.catalog.service import CatalogService
    from ottserver.web.routing import Handler

KEEP_ALIVE_SECONDS = 15.0
GATHER_SECONDS = 0.25
"""Changes that come close together are one event for each video."""
SLOW_CLIENT_SECONDS = 30.0
"""A client that does not take what it is sent for so long is let go."""


class Readiness(Protocol):
    """What administrators are shown of transcode's work."""

    async def readiness(self, presentation_id: str) -> dict[str, tuple[int, int]]:
        """Segments stored and segments in all, by rendition name; empty for an unknown presentation."""
        ...

    async def outlook(self, presentation_id: str) -> Outlook:
        """How long it will take, why it waits, and what could not be made; also of none, which is yet to come."""
        ...


class _Handlers:
    def __init__(self, service: CatalogService, readiness: Readiness) -> None:
        self._service = service
        self._readiness = readiness

    async def _answer(self, video: Video) -> answers.AdminVideo:
        # A complete one has all its segments: there is nothing to ask.
        asked = video.presentation_id is not None and video.status != "complete"
        ready = await self._readiness.readiness(video.presentation_id or "") if asked else {}
        coming = asked or video.status == "probing"
        outlook = await self._readiness.outlook(video.presentation_id or "") if coming else Outlook()
        return answers.admin_video(video, ready, outlook)

    async def add(self, call: Call[VideoBody, NoQuery]) -> Reply:
        video = await self._service.add_upload(call.body.upload_id, call.body.details())
        return Reply(answers.Added(video_id=video.id, status=video.status))

    async def listed(self, call: Call[NoBody, Page]) -> Reply:
        page, limit = call.query.page, call.query.limit
        videos, total = await self._service.videos(page, limit)
        return Reply(answers.listed([await self._answer(video) for video in videos], total, page, limit))

    async def one(self, call: Call[NoBody, NoQuery]) -> Reply:
        return Reply(await self._answer(await self._service.video(call.path["video_id"])))

    async def edit(self, call: Call[VideoChange, NoQuery]) -> Reply:
        return Reply(await self._answer(await self._service.edit(call.path["video_id"], call.body.changes())))

    async def remove(self, call: Call[NoBody, NoQuery]) -> Reply:
        await self._service.remove(call.path["video_id"])
        return Reply()

    async def replace(self, call: Call[SourceBody, NoQuery]) -> Reply:
        return Reply(await self._answer(await self._service.replace_source(call.path["video_id"], call.body.upload_id)))

    async def events(self, call: Call[NoBody, NoQuery]) -> web.StreamResponse:
        """Server-sent events (WHATWG HTML): `hello`, then `video` and `removed`."""
        with self._service.updates.listening() as listener:
            response = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
            response.content_type = "text/event-stream"
            await response.prepare(call.request)
            # The stream has begun, so whatever goes wrong can only end it; its client comes again.
            with contextlib.suppress(ConnectionError, TimeoutError, OttError):
                await _send(response, _event("hello", {}))
                while True:
                    changed = await listener.take(KEEP_ALIVE_SECONDS)
                    if listener.closed:
                        break
                    if not changed:
                        await _send(response, b": still here\n\n")
                    for video_id in changed:
                        await _send(response, await self._update(video_id))
                    await asyncio.sleep(GATHER_SECONDS)
        return response

    async def _update(self, video_id: str) -> bytes:
        try:
            video = await self._service.video(video_id)
        except NotFound:
            return _event("removed", {"video_id": video_id})
        return _event("video", (await self._answer(video)).model_dump(mode="json"))


def _event(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


async def _send(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(SLOW_CLIENT_SECONDS):
        await response.write(data)


def routes(service: CatalogService, readiness: Readiness) -> Routes:
    """The routes for owners and admins."""
    handlers = _Handlers(service, readiness)
    videos = "/api/v1/admin/videos"
    video = videos + "/{video_id}"

    def route(
        method: str,
        path: str,
        handler: Handler,
        summary: str,
        *,
        body: type[BaseModel] = NoBody,
        answer: type[BaseModel] | None = answers.AdminVideo,
        status: int = 200,
        errors: tuple[int, ...] = (),
    ) -> Route:
        return Route(
            method, path, handler, summary, Access.MANAGER, body=body, answer=answer, status=status, errors=errors
        )

    return [
        route(
            "POST",
            videos,
            handlers.add,
            "Add a video whose bytes come by an upload",
            body=VideoBody,
            answer=answers.Added,
            status=201,
            errors=(404, 409),
        ),
        Route(
            "GET",
            videos,
            handlers.listed,
            "All videos, newest first",
            Access.MANAGER,
            query=Page,
            answer=answers.Listed[answers.AdminVideo],
        ),
        route("GET", video, handlers.one, "A video and how far it has come"),
        route("PATCH", video, handlers.edit, "Change what is said of a video", body=VideoChange, errors=(409,)),
        route("DELETE", video, handlers.remove, "Remove a video", answer=None, status=204),
        route(
            "POST",
            video + "/source",
            handlers.replace,
            "Replace a video's bytes by those of another upload",
            body=SourceBody,
            errors=(409,),
        ),
        Route(
            "GET",
            "/api/v1/admin/events",
            handlers.events,
            "What happens to videos, as server-sent events",
            Access.MANAGER,
            produces="text/event-stream",
            errors=(503,),
        ),
    ]
