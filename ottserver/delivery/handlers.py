"""Media over HTTP: one handler for everything below /media/, with ranges, conditions and cross-origin rules."""

from __future__ import annotations

from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Any

from aiohttp import hdrs, web

from ottserver.delivery import cmcd, conditions
from ottserver.delivery.cors import Cors
from ottserver.delivery.edge import IMMUTABLE
from ottserver.delivery.service import DASH_TYPE, HLS_TYPE, MANIFEST_TYPES, Delivery
from ottserver.errors import OttError
from ottserver.web.problems import from_error, problem
from ottserver.web.routing import Access, Call, Handler, Route, Routes

if TYPE_CHECKING:
    from ottserver.delivery.edge import Body
    from ottserver.delivery.metrics import DeliveryMetrics

PRIVATE = "private, no-store"

_BASE = "/media/{ticket}/{video}"
_INSIDE = f"{_BASE}/{{presentation}}/{{rendition}}"
_ANYTHING = "/media/{address:.*}"
_ERRORS = (403, 404, 412, 416, 503)


def routes(delivery: Delivery, metrics: DeliveryMetrics, origins: tuple[str, ...]) -> Routes:
    """Everything below /media/; `origins` may play from other pages than our own."""
    cors = Cors(origins)

    async def media(call: Call[Any, Any]) -> web.StreamResponse:
        request = call.request
        waited = None
        try:
            ticket, inside = delivery.admit(request.rel_url.raw_path)
            body = delivery.cached(ticket, inside)
            if body is None:
                begun = perf_counter()
                body = await delivery.body(ticket, inside)
                waited = perf_counter() - begun
        except OttError as error:
            response = from_error(error)
        else:
            manifest = body.content_type in MANIFEST_TYPES
            response = _manifest(body) if manifest else _segment(request, body)
            if request.method == hdrs.METH_GET:
                (metrics.manifest_bytes if manifest else metrics.segment_bytes).inc(response.content_length or 0)
            said = _said(request)
            if said:
                delivery.told(ticket, body, said)
            if waited is not None and not manifest:
                # So that a player does not take the time of encoding for a slow line (CTA-5006, response delay).
                response.headers["CMSD-Dynamic"] = f'"ottserver";rd={round(waited * 1000)}'
        response.headers.update(cors.headers(request.headers.get(hdrs.ORIGIN)))
        return response

    async def preflight(call: Call[Any, Any]) -> web.StreamResponse:
        return web.Response(status=204, headers=cors.preflight(call.request.headers.get(hdrs.ORIGIN)))

    def get(path: str, summary: str, produces: str) -> Route:
        return Route(
            hdrs.METH_GET, path, media, summary, access=Access.PUBLIC, raw=True, produces=produces, errors=_ERRORS
        )

    return [
        get(f"{_INSIDE}/{{index}}.m4s", "One media segment", "video/mp4"),
        get(f"{_INSIDE}/init.mp4", "The init segment of a rendition", "video/mp4"),
        get(f"{_INSIDE}/media.m3u8", "The HLS media playlist of a rendition", "application/vnd.apple.mpegurl"),
        get(f"{_INSIDE}/subtitles.vtt", "The subtitles of a track", "text/vtt"),
        get(f"{_BASE}/{{presentation}}/storyboard/{{index}}.jpg", "A sheet of pictures for the seek bar", "image/jpeg"),
        get(f"{_BASE}/{{presentation}}/storyboard/index.vtt", "Which second is where on the sheets", "text/vtt"),
        get(
            f"{_BASE}/{{presentation}}/storyboard/images.m3u8",
            "The same as an HLS image playlist",
            "application/vnd.apple.mpegurl",
        ),
        get(f"{_BASE}/master.m3u8", "The HLS master playlist", "application/vnd.apple.mpegurl"),
        get(f"{_BASE}/manifest.mpd", "The DASH manifest", "application/dash+xml"),
        get(f"{_BASE}/original.m3u8", "The HLS playlist of the original, where there is one", HLS_TYPE),
        get(f"{_BASE}/original.mpd", "The DASH manifest of the original, where there is one", DASH_TYPE),
        _hidden(hdrs.METH_GET, media, "Any other media address"),
        _hidden(hdrs.METH_OPTIONS, preflight, "Which origins may play"),
    ]


def _hidden(method: str, handler: Handler, summary: str) -> Route:
    return Route(method, _ANYTHING, handler, summary, access=Access.PUBLIC, raw=True, hidden=True)


def _said(request: web.Request) -> str:
    """What the player tells of itself (CMCD)."""
    fields = request.headers
    return ",".join(fields[name] for name in cmcd.HEADERS if name in fields) or cmcd.from_query(
        request.rel_url.raw_query_string
    )


def _manifest(body: Body) -> web.Response:
    return web.Response(body=body.data, headers={hdrs.CONTENT_TYPE: body.content_type, hdrs.CACHE_CONTROL: PRIVATE})


def _segment(request: web.Request, body: Body) -> web.Response:
    size = len(body.data)
    answer = conditions.answer(request.method, conditions.joined(request.headers), body.etag, size)
    headers = {hdrs.ETAG: body.etag, hdrs.ACCEPT_RANGES: "bytes", hdrs.CACHE_CONTROL: IMMUTABLE}
    if answer.status == HTTPStatus.NOT_MODIFIED:
        return web.Response(status=304, headers=headers)
    if answer.status == HTTPStatus.PRECONDITION_FAILED:
        return problem(412, "Precondition failed", "The bytes are not those that If-Match names.")
    if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        detail = f"The range lies outside the {size} bytes there are."
        return problem(416, "Range not satisfiable", detail, headers={hdrs.CONTENT_RANGE: f"bytes */{size}"})
    headers[hdrs.CONTENT_TYPE] = body.content_type
    if answer.status == HTTPStatus.PARTIAL_CONTENT:
        headers[hdrs.CONTENT_RANGE] = f"bytes {answer.start}-{answer.end - 1}/{size}"
        return web.Response(status=206, body=body.data[answer.start : answer.end], headers=headers)
    return web.Response(body=body.data, headers=headers)
