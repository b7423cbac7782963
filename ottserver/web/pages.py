"""The built-in page and its files, under a Content-Security-Policy without inline script."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ottserver.errors import NotFound
from ottserver.web.problems import NOTHING
from ottserver.web.routing import Access, Call, Handler, NoBody, NoQuery, Route, Routes

if TYPE_CHECKING:
    from aiohttp import web

    from ottserver.web.assets import Assets

PATHS = (
    "/",
    "/title/{video}",
    "/watch/{video}",
    "/admin",
    "/admin/{rest:.*}",
    "/account",
    "/plans",
    "/sign-in",
    "/set-up",
)
"""Addresses that the page's own router understands; each answers with the same document."""
ELSEWHERE = "/{rest:(?!(?:api|media|static|vendor)(?:/|$)|healthz|readyz|metrics).*}"
"""All others that a person may have mistyped: the page says that there is nothing, in its own words."""


PERMISSIONS = ", ".join(
    (
        *(f"{feature}=(self)" for feature in ("autoplay", "encrypted-media", "fullscreen", "picture-in-picture")),
        *(
            f"{feature}=()"
            for feature in (
                *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "hid"),
                *("magnetometer", "microphone", "midi", "serial", "usb", "xr-spatial-tracking"),
            )
        ),
    )
)
"""What a player needs of the browser, and what nothing on our pages may ever ask for."""


def policy(import_map_hash: str) -> str:
    """The Content-Security-Policy of our pages.

    The player hands media to the browser as blobs, and begins subtitle tracks with an empty data: file; the
    player's web components carry style elements of their own, and nothing else may be inline.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {import_map_hash}",
            "style-src 'self'",
            "style-src-elem 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "media-src 'self' blob: data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def routes(assets: Assets) -> Routes:
    """Every address of the page and its files."""
    headers = {
        "Content-Security-Policy": policy(assets.import_map_hash),
        "Permissions-Policy": PERMISSIONS,
        "X-Frame-Options": "DENY",
    }

    async def page(call: Call[NoBody, NoQuery]) -> web.Response:
        response = await assets.page(call.request)
        response.headers.update(headers)
        return response

    async def lost(call: Call[NoBody, NoQuery]) -> web.Response:
        if "text/html" not in call.request.headers.get("Accept", ""):
            raise NotFound(NOTHING)
        response = await page(call)
        if response.status == HTTPStatus.OK:
            response.set_status(HTTPStatus.NOT_FOUND)
        return response

    async def docs(call: Call[NoBody, NoQuery]) -> web.Response:
        response = await assets.page(call.request, "docs.html")
        response.headers.update(headers)
        return response

    async def icon(call: Call[NoBody, NoQuery]) -> web.Response:
        return await assets.page(call.request, "favicon.svg")

    def get(path: str, handler: Handler, summary: str) -> Route:
        return Route("GET", path, handler, summary, access=Access.PUBLIC, raw=True, hidden=True)

    return [
        *(get(path, page, "The built-in page") for path in PATHS),
        get("/docs", docs, "The contract, to read and to try"),
        get("/favicon.ico", icon, "The page's icon"),
        get("/static/{path:.+}", assets.static, "A file of the page"),
        get("/vendor/{path:.+}", assets.vendor, "A file of a library that the page uses"),
        get(ELSEWHERE, lost, "The built-in page, which says that there is nothing"),
    ]
