"""The gate over HTTP: one hidden route that caches in front ask before they serve a segment that they keep.

nginx asks it by auth_request, Caddy and Traefik by forward_auth. It answers 204 or 401, and says how long that holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import hdrs, web

from ottserver.delivery.cors import Cors
from ottserver.errors import Malformed
from ottserver.web.routing import Access, Call, Route, Routes

if TYPE_CHECKING:
    from ottserver.delivery.verdicts import Gate, Verdict

PATH = "/media-auth"
ORIGINAL_ADDRESS = ("X-Original-URI", "X-Forwarded-Uri")
"""Where proxies put the address that they ask about."""
ABOVE = "X-Media-Above"
"""Renditions that the plan leaves out, between blanks; "-" where there are none."""


def routes(gate: Gate, origins: tuple[str, ...]) -> Routes:
    """The gate's route. Its answers carry what pages of other `origins` may read, for the cache to pass on."""
    cors = Cors(origins)

    async def judge(call: Call[Any, Any]) -> web.StreamResponse:
        headers = call.request.headers
        address = next((headers[name] for name in ORIGINAL_ADDRESS if name in headers), None)
        if address is None:
            message = f"The header field {ORIGINAL_ADDRESS[0]} should have the address that is asked for."
            raise Malformed(message)
        verdict = await gate.judge(address.partition("?")[0])
        return web.Response(
            # Where nginx has kept an older answer, it takes a 403 for a failure and goes by that; a 401 it believes.
            status=204 if verdict.opens else 401,
            headers={
                hdrs.CACHE_CONTROL: _kept(verdict),
                ABOVE: " ".join(verdict.above) or "-",
                **cors.headers(headers.get(hdrs.ORIGIN)),
            },
        )

    summary = "Whether a cache in front may serve an address"
    return [Route(hdrs.METH_GET, PATH, judge, summary, access=Access.PUBLIC, raw=True, hidden=True)]


def _kept(verdict: Verdict) -> str:
    """How long a cache may go by a verdict: one second, and longer only while we cannot be asked (RFC 5861)."""
    return f"max-age=1, stale-if-error={verdict.keep_seconds}" if verdict.keep_seconds else "no-store"
