"""tus 1.0.0 over HTTP at /api/v1/uploads."""

from __future__ import annotations

import asyncio
import time
from email.utils import format_datetime
from typing import TYPE_CHECKING

from aiohttp import ClientError, web
from aiohttp.http import HttpProcessingError

from ottserver.errors import Malformed, NotFound, OttError, Unsupported
from ottserver.ids import is_id
from ottserver.ingest import tus
from ottserver.ingest.models import BodyInterrupted, ChecksumMismatch
from ottserver.web import problems
from ottserver.web.routing import Access, Call, Handler, HeaderField, NoBody, NoQuery, Route, Routes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from ottserver.ingest.service import IngestService
    from ottserver.ingest.uploads import Arrived

PATH = "/api/v1/uploads"
BLOCK = 1024 * 1024
FLUSH_SECONDS = 1.0
SILENCE_SECONDS = 60.0
"""A client that sends nothing for so long in the middle of a body is taken for gone."""
PRECONDITION_FAILED = 412
CHECKSUM_MISMATCH = 460
_COUNT = {"type": "string", "pattern": "^[0-9]{1,18}$"}
_VERSION_FIELD = HeaderField("Tus-Resumable", {"type": "string", "enum": [tus.VERSION]})
_LENGTH = HeaderField("Upload-Length", _COUNT)
_OFFSET = HeaderField("Upload-Offset", _COUNT)
_METADATA = HeaderField("Upload-Metadata", {"type": "string", "maxLength": tus.METADATA_LIMIT}, required=False)
_DIGEST = {"type": "string", "pattern": f"^({'|'.join(tus.CHECKSUMS)}) [A-Za-z0-9+/]+={{0,2}}$"}
_CHECKSUM = HeaderField("Upload-Checksum", _DIGEST, required=False)
_OVERRIDE = HeaderField("X-HTTP-Method-Override", {"type": "string", "enum": ["PATCH", "DELETE", "HEAD"]})
_RESUMABLE = {"Tus-Resumable": tus.VERSION}

TusCall = Call[NoBody, NoQuery]
if TYPE_CHECKING:
    Action = Callable[[TusCall], Awaitable[web.Response]]


class TusHandlers:
    """Parses tus requests, calls the service, answers."""

    def __init__(self, service: IngestService) -> None:
        """Serve these uploads."""
        self._service = service
        self._uploads = service.uploads

    async def options(self, _: TusCall) -> web.Response:
        """What this server can do; open to anybody and never overridden."""
        headers = {
            **_RESUMABLE,
            "Tus-Version": tus.VERSION,
            "Tus-Extension": tus.EXTENSIONS,
            "Tus-Checksum-Algorithm": ",".join(tus.CHECKSUMS),
            "Tus-Max-Size": str(self._uploads.max_bytes),
        }
        return web.Response(status=204, headers=headers)

    async def create(self, call: TusCall) -> web.Response:
        """Begin an upload, perhaps with its first bytes."""
        headers = call.request.headers
        if "Upload-Defer-Length" in headers:
            message = "Upload-Defer-Length is not supported; say Upload-Length."
            raise Malformed(message)
        length = tus.count(headers, "Upload-Length")
        checksum = tus.checksum(headers.get("Upload-Checksum"))
        with_bytes = call.request.body_exists and call.request.content_length != 0
        if with_bytes:
            _check_content_type(call.request)
        arrived = await self._uploads.create(call.principal.account_id, length, headers.get("Upload-Metadata", ""))
        upload_id = arrived.upload.id
        answer = {"Location": f"{PATH}/{upload_id}"}
        if with_bytes:
            try:
                arrived = await self._uploads.append(
                    upload_id, 0, blocks(call.request), size=call.request.content_length, checksum=checksum
                )
            except (OttError, BodyInterrupted):
                # Its client will never learn where it is.
                await self._uploads.terminate(upload_id)
                raise
            answer["Upload-Offset"] = str(arrived.offset)
        return web.Response(status=201, headers={**answer, **_expiry(arrived)})

    async def head(self, call: TusCall) -> web.Response:
        """Where to continue."""
        arrived = await self._uploads.arrived(call.path["upload_id"])
        headers = {
            "Upload-Offset": str(arrived.offset),
            "Upload-Length": str(arrived.upload.length),
            "Cache-Control": "no-store",
            **_expiry(arrived),
        }
        if arrived.upload.metadata:
            headers["Upload-Metadata"] = arrived.upload.metadata
        return web.Response(status=200, headers=headers)

    async def patch(self, call: TusCall) -> web.Response:
        """Take more bytes."""
        request = call.request
        _check_content_type(request)
        arrived = await self._uploads.append(
            call.path["upload_id"],
            tus.count(request.headers, "Upload-Offset"),
            blocks(request),
            size=request.content_length,
            checksum=tus.checksum(request.headers.get("Upload-Checksum")),
        )
        return web.Response(status=204, headers={"Upload-Offset": str(arrived.offset), **_expiry(arrived)})

    async def delete(self, call: TusCall) -> web.Response:
        """End the upload."""
        await self._service.terminate_upload(call.path["upload_id"])
        return web.Response(status=204)


async def blocks(request: web.Request) -> AsyncIterator[bytes]:
    """The body in blocks of about `BLOCK` bytes; no byte that has arrived waits longer than `FLUSH_SECONDS` or so.

    What arrived before a break comes before `BodyInterrupted`.
    """
    buffer = bytearray()
    flushed = time.monotonic()
    while True:
        data = None
        try:
            async with asyncio.timeout(FLUSH_SECONDS if buffer else SILENCE_SECONDS):
                data = await request.content.readany()
        except TimeoutError as error:
            if not buffer:
                raise BodyInterrupted from error
        except (OSError, ClientError, HttpProcessingError, web.RequestPayloadError) as error:
            if buffer:
                yield bytes(buffer)
            raise BodyInterrupted from error
        buffer += data or b""
        if buffer and (not data or len(buffer) >= BLOCK or time.monotonic() > flushed + FLUSH_SECONDS):
            yield bytes(buffer)
            buffer.clear()
            flushed = time.monotonic()
        if data == b"":
            return


def _check_content_type(request: web.Request) -> None:
    if request.content_type != tus.CONTENT_TYPE:
        message = f"The Content-Type has to be {tus.CONTENT_TYPE}."
        raise Unsupported(message)
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        message = "The body must not be compressed: offsets count the bytes of the file itself."
        raise Unsupported(message)


def _expiry(arrived: Arrived) -> dict[str, str]:
    if arrived.expires_at is None:
        return {}
    return {"Upload-Expires": format_datetime(arrived.expires_at, usegmt=True)}


def _speaking_tus(actions: dict[str, Action]) -> Handler:
    """One handler for the methods of an address: checks the version, honours an override, and marks every answer."""

    async def handle(call: TusCall) -> web.Response:
        try:
            response = await _dispatch(call, actions)
        except ChecksumMismatch as error:
            response = problems.problem(CHECKSUM_MISMATCH, error.title, error.detail)
        except BodyInterrupted:
            detail = "The body ended too early; what arrived is kept."
            response = problems.problem(408, "Request timeout", detail, headers={"Connection": "close"})
        except OttError as error:
            response = problems.from_error(error)
        except web.HTTPException as error:
            response = problems.from_http(error)
        response.headers.update(_RESUMABLE)
        return response

    return handle


async def _dispatch(call: TusCall, actions: dict[str, Action]) -> web.Response:
    headers = call.request.headers
    version = headers.get("Tus-Resumable")
    if version != tus.VERSION:
        said = "The header Tus-Resumable is missing" if version is None else "This version of tus is not spoken here"
        detail = f"{said}; send Tus-Resumable: {tus.VERSION}."
        return problems.problem(
            PRECONDITION_FAILED, "Precondition failed", detail, headers={"Tus-Version": tus.VERSION}
        )
    # Only unsafe methods are overridden: they alone have passed the guard against other sites.
    override = headers.get("X-HTTP-Method-Override") if call.request.method in ("POST", "PATCH", "DELETE") else None
    method = (override or call.request.method).upper()
    if method not in actions:
        raise web.HTTPMethodNotAllowed(method, sorted(actions))
    if not is_id(call.path.get("upload_id", "")) and "upload_id" in call.path:
        message = "There is no upload with this id."
        raise NotFound(message)
    return await actions[method](call)


def routes(service: IngestService) -> Routes:
    """The routes of this room."""
    tus_handlers = TusHandlers(service)
    collection = _speaking_tus({"POST": tus_handlers.create})
    one = _speaking_tus({"HEAD": tus_handlers.head, "PATCH": tus_handlers.patch, "DELETE": tus_handlers.delete})

    def route(
        method: str, path: str, handler: Handler, summary: str, status: int, *fields: HeaderField, takes: bool = False
    ) -> Route:
        errors = (400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 415, 460, 503, 507)
        return Route(
            method,
            path,
            handler,
            summary,
            Access.MANAGER,
            status=status,
            errors=errors,
            raw=True,
            fields=(_VERSION_FIELD, *fields),
            takes=tus.CONTENT_TYPE if takes else None,
        )

    def options(path: str) -> Route:
        return Route(
            "OPTIONS", path, tus_handlers.options, "What the upload server can do", Access.PUBLIC, status=204, raw=True
        )

    upload = PATH + "/{upload_id}"
    return [
        options(PATH),
        options(upload),
        route("POST", PATH, collection, "Begin an upload (tus 1.0.0)", 201, _LENGTH, _METADATA, _CHECKSUM, takes=True),
        route("HEAD", upload, one, "How many bytes of an upload have arrived", 200),
        route("PATCH", upload, one, "Continue an upload", 204, _OFFSET, _CHECKSUM, takes=True),
        route("DELETE", upload, one, "End an upload and remove its bytes", 204),
        route("POST", upload, one, "What X-HTTP-Method-Override says", 204, _OVERRIDE, _OFFSET, _CHECKSUM, takes=True),
    ]
