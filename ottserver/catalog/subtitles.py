"""Subtitle files that owners and admins bring to a film, over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Protocol

from aiohttp import web
from pydantic import BaseModel, Field

from ottserver.errors import Conflict, NotFound, TooLarge
from ottserver.ids import is_id
from ottserver.web.routing import Access, Call, NoBody, NoQuery, Reply, RequestModel, Route, Routes

if TYPE_CHECKING:
    from ottserver.catalog.service import CatalogService
    from ottserver.media import TextTrack

MOST_BYTES = 16 << 20
BODY_SECONDS = 120.0


class SubtitleWords(RequestModel):
    """What is said of a subtitle file."""

    language: Annotated[str, Field(max_length=35)] = "und"
    """BCP 47 or ISO 639."""
    label: Annotated[str, Field(max_length=100)] = ""
    default: bool = False
    forced: bool = False
    hearing_impaired: bool = False
    said: Annotated[str, Field(max_length=255)] = ""
    """What the file's name says after its film's, such as ".de.forced": understood as it is in imports."""


class SubtitleAdded(BaseModel):
    """Subtitles that were added; players list them from now on."""

    name: str
    language: str
    label: str
    codec: str
    default: bool
    forced: bool
    hearing_impaired: bool


class Subtitles(Protocol):
    """What the catalog needs of transcode."""

    async def add(self, source_id: str, data: bytes, said: SubtitleWords) -> TextTrack:
        """Add a file to a source, once. Raises `Invalid` when it cannot be shown, `Conflict` for too many."""
        ...

    async def remove(self, source_id: str, name: str) -> None:
        """Take an added file away. Raises `NotFound`."""
        ...


class _Handlers:
    def __init__(self, service: CatalogService, subtitles: Subtitles) -> None:
        self._service = service
        self._subtitles = subtitles

    async def _source(self, video_id: str) -> str:
        if not is_id(video_id):
            message = "There is no video with this id."
            raise NotFound(message)
        video = await self._service.video(video_id)
        if video.source_id is None:
            message = "The film's own bytes are still on their way; add subtitles when they have arrived."
            raise Conflict(message)
        return video.source_id

    async def add(self, call: Call[NoBody, SubtitleWords]) -> Reply:
        source_id = await self._source(call.path["video_id"])
        track = await self._subtitles.add(source_id, await _body(call.request), call.query)
        names = SubtitleAdded.model_fields
        return Reply(SubtitleAdded(**{name: getattr(track, name) for name in names}))

    async def remove(self, call: Call[NoBody, NoQuery]) -> Reply:
        await self._subtitles.remove(await self._source(call.path["video_id"]), call.path["name"])
        return Reply()


async def _body(request: web.Request) -> bytes:
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_chunked(65536):
                data += chunk
                if len(data) > MOST_BYTES:
                    message = f"A subtitle file may have {MOST_BYTES >> 20} MB; this one is larger."
                    raise TooLarge(message)
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error
    return bytes(data)


def routes(service: CatalogService, subtitles: Subtitles) -> Routes:
    """The routes for owners and admins."""
    handlers = _Handlers(service, subtitles)
    base = "/api/v1/admin/videos/{video_id}/subtitles"
    return [
        Route(
            "POST",
            base,
            handlers.add,
            "Add a subtitle file to a video",
            Access.MANAGER,
            query=SubtitleWords,
            answer=SubtitleAdded,
            status=201,
            errors=(404, 409, 413),
            raw=True,
            takes="application/octet-stream",
        ),
        Route(
            "DELETE",
            f"{base}/{{name}}",
            handlers.remove,
            "Take a subtitle file away that was added to a video",
            Access.MANAGER,
            status=204,
            errors=(404, 409),
        ),
    ]
