"""The aiohttp application: one middleware gives every answer its id, its headers and, when it fails, its problem."""

from __future__ import annotations

import logging
import re
import time
import uuid
from typing import TYPE_CHECKING

import uuid_utils
from aiohttp import web

from ottserver.errors import Busy, OttError
from ottserver.web import problems
from ottserver.web.adapt import SECURE_COOKIES, adapt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ottserver.web.guards import Guard
    from ottserver.web.limits import RateLimits
    from ottserver.web.routing import Route

log = logging.getLogger(__name__)

REQUEST_ID = web.RequestKey("request_id", str)
_GOOD_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
_TICKET = re.compile(r"^(/media/[^/]{6})[^/]+")

COMMON_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def redacted(path: str) -> str:
    """The path without the better part of a ticket: logs must not let anybody play."""
    return _TICKET.sub(r"\1…", path)


@web.middleware
async def edge(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Outermost of all: no error leaves it but as a problem document, and every request is logged once."""
    started = time.perf_counter()
    given = request.headers.get("X-Request-Id", "")
    request[REQUEST_ID] = given if _GOOD_REQUEST_ID.fullmatch(given) else str(uuid_utils.uuid7())
    try:
        response = await handler(request)
    except OttError as error:
        response = problems.from_error(error)
    except web.HTTPException as error:
        response = problems.from_http(error)
    except TimeoutError:
        response = problems.from_error(Busy("This took too long; try again shortly."))
    except ConnectionError:
        raise
    except Exception:
        log.exception("request %s failed: %s %s", request[REQUEST_ID], request.method, redacted(request.path))
        response = problems.problem(
            500, "Something broke", f"This is our fault; the log knows it as {request[REQUEST_ID]}."
        )
    log.debug(
        "%s %s %s %.1f ms",
        request.method,
        redacted(request.path),
        response.status,
        (time.perf_counter() - started) * 1e3,
    )
    return response


async def _finish_headers(request: web.Request, response: web.StreamResponse) -> None:
    request_id = request.get(REQUEST_ID) or str(uuid.uuid4())
    response.headers["X-Request-Id"] = request_id
    for name, value in COMMON_HEADERS.items():
        response.headers.setdefault(name, value)


def build_application(
    routes: Iterable[Route], guard: Guard, limits: RateLimits, *, secure_cookies: bool
) -> web.Application:
    """The application that serves `routes`, in their order."""
    application = web.Application(middlewares=[edge], client_max_size=0)
    application[SECURE_COOKIES] = secure_cookies
    for route in routes:
        handler = adapt(route, guard, limits)
        if route.method == "GET":
            application.router.add_get(route.path, handler)
        else:
            application.router.add_route(route.method, route.path, handler)
    application.on_response_prepare.append(_finish_headers)
    return application
