"""The aiohttp application and the server under it: every answer has its id, its headers and, failed, its problem."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import HttpVersion10, HttpVersion11, hdrs, web
from aiohttp.http_exceptions import BadHttpMethod, HttpProcessingError, LineTooLong

from ottserver.errors import Busy, Malformed, OttError
from ottserver.ids import new_id
from ottserver.web import heads, problems
from ottserver.web.adapt import RATE_LIMIT_FIELDS, SECURE_COOKIES, adapt
from ottserver.web.bounds import Bounds, Door
from ottserver.web.clients import PROXIES, Proxies
from ottserver.web.heads import COMMON_HEADERS, MEDIA, SITE_HEADERS, STRICT_TRANSPORT, redacted
from ottserver.web.instant import InstantConnection
from ottserver.web.patient import SharingWriter

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterable

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http import RawRequestMessage
    from aiohttp.streams import StreamReader
    from aiohttp.web_protocol import RequestHandler

    from ottserver.web.guards import Guard
    from ottserver.web.instant import InstantAnswers
    from ottserver.web.limits import RateLimits
    from ottserver.web.routing import Route

log = logging.getLogger(__name__)

REQUEST_ID = web.RequestKey("request_id", str)
ANSWERING = web.RequestKey("answering", bool)
"""Set once the answer's head is on its way."""
OTHER_VERSION = web.RequestKey("other_version", bool)
"""Set on requests of a version of HTTP that is not served."""
OWN_HEADERS: web.AppKey[Mapping[str, str]] = web.AppKey("own_headers", Mapping)
"""What answers that are not media say besides."""

_CONTINUE = "100-continue"
CONNECTION_LIMITS: dict[str, Any] = {
    "access_log": None,
    "auto_decompress": False,
    "lingering_time": 5.0,
    "max_field_size": 8190,
    "max_headers": 100,
    "max_line_size": 8190,
}
"""Seconds and bytes that one connection may take, as aiohttp names them."""


@web.middleware
async def edge(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Outermost of all: no error leaves it but as a problem document, and every request is logged once.

    An answer that has begun cannot become another one: when it fails, the connection ends before its end, which the
    client notices.
    """
    started = time.perf_counter()
    request[REQUEST_ID] = heads.request_id(request.headers.get(heads.REQUEST_ID, ""))
    try:
        if OTHER_VERSION in request:
            message = "The request's version of HTTP is neither 1.0 nor 1.1."
            raise Malformed(message)
        if request.version >= HttpVersion11 and hdrs.HOST not in request.headers:
            message = "The request has no Host header field, which HTTP/1.1 asks for."
            raise Malformed(message)
        response = await handler(request)
    except ConnectionError:
        raise
    except Exception as error:
        response = _failed(request, error)
        if ANSWERING in request:
            log.warning("request %s broke off after its answer had begun", request[REQUEST_ID])
            raise ConnectionResetError from error
    log.debug(
        "%s %s %s %.1f ms",
        request.method,
        redacted(request.path),
        response.status,
        (time.perf_counter() - started) * 1e3,
    )
    return response


def _failed(request: web.Request, error: Exception) -> web.Response:
    if isinstance(error, OttError):
        return problems.from_error(error)
    if isinstance(error, web.HTTPException):
        return problems.from_http(error)
    if isinstance(error, (HttpProcessingError, web.RequestPayloadError)):
        return problems.from_error(Malformed("The request's body breaks off or is not framed as its head says."))
    if isinstance(error, TimeoutError):
        return problems.from_error(Busy("This took too long; try again shortly."))
    request_id = request[REQUEST_ID]
    log.error("request %s failed: %s %s", request_id, request.method, redacted(request.path), exc_info=error)
    return problems.problem(500, "Something broke", f"This is our fault; the log knows it as {request_id}.")


async def _finish_headers(request: web.Request, response: web.StreamResponse) -> None:
    request[ANSWERING] = True
    response.headers.update(request.get(RATE_LIMIT_FIELDS, {}))
    if not request.rel_url.raw_path.startswith(MEDIA):
        for name, value in request.app[OWN_HEADERS].items():
            response.headers.setdefault(name, value)
    _complete(response, request.get(REQUEST_ID) or new_id())


def _complete(response: web.StreamResponse, request_id: str) -> None:
    response.headers[heads.REQUEST_ID] = request_id
    response.headers[hdrs.SERVER] = heads.SERVER
    for name, value in COMMON_HEADERS.items():
        response.headers.setdefault(name, value)


class _Connection(InstantConnection):
    """aiohttp's side of one connection, which answers as we do where no middleware is reached."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,  # noqa: ARG002 - the base's signature
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - the base's signature
    ) -> web.StreamResponse:
        """The problem document for a request that cannot be parsed; the connection ends with it."""
        if isinstance(exc, ConnectionError) or request.writer.output_size > 0:
            raise ConnectionResetError from exc
        if isinstance(exc, HttpProcessingError):
            log.debug("unreadable request from %s: %s", request.remote, exc.message)
            response = problems.from_error(Malformed(_unreadable(exc)))
        else:
            log.error("a request failed outside its handler", exc_info=exc)
            response = problems.problem(500, "Something broke", "This is our fault.")
        _complete(response, new_id())
        response.force_close()
        return response


def _unreadable(error: HttpProcessingError) -> str:
    if isinstance(error, LineTooLong):
        return f"A line of the request's head is longer than {CONNECTION_LIMITS['max_line_size']} bytes."
    if isinstance(error, BadHttpMethod):
        return "The request's first line does not begin with a method that HTTP knows."
    return "The request's head cannot be read as HTTP/1.1."


class _Server(web.Server):
    door: Door
    answers: InstantAnswers | None = None

    def __call__(self) -> InstantConnection:
        """The protocol of a new connection."""
        return _Connection(self, self.door, self.answers, **CONNECTION_LIMITS)


class _Runner(web.AppRunner):
    bounds: Bounds
    answers: InstantAnswers | None = None

    async def _make_server(self) -> web.Server:
        plain = await super()._make_server()

        async def outermost(request: web.BaseRequest) -> web.StreamResponse:
            expected = request.headers.get(hdrs.EXPECT, _CONTINUE)
            if expected.lower() != _CONTINUE and request.version == HttpVersion11:
                # aiohttp would say so before any middleware, and trip over what it repeats of it.
                response = problems.from_http(web.HTTPExpectationFailed())
                _complete(response, heads.request_id(request.headers.get(heads.REQUEST_ID, "")))
                return response
            return await plain.request_handler(request)

        def request(
            message: RawRequestMessage,
            payload: StreamReader,
            protocol: RequestHandler,
            _writer: AbstractStreamWriter,
            task: asyncio.Task[None],
        ) -> web.BaseRequest:
            known = message.version in (HttpVersion10, HttpVersion11)
            if not known:  # aiohttp would answer in a version that this is not
                message = message._replace(version=HttpVersion11, should_close=True)
            made = plain.request_factory(message, payload, protocol, SharingWriter(protocol, task.get_loop()), task)
            if not known:
                made[OTHER_VERSION] = True
            return made

        server = _Server(outermost, request_factory=request, handler_cancellation=True)
        server.door = Door(self.bounds, self.app[PROXIES])
        server.answers = self.answers
        return server


def make_runner(
    application: web.Application,
    *,
    instant: InstantAnswers | None = None,
    bounds: Bounds | None = None,
    shutdown_seconds: float = 10.0,
) -> web.AppRunner:
    """What serves `application` on the sites that are added to it; what `instant` answers does not reach it.

    A client that vanishes cancels its handler; connections are held to `bounds`; at the end, requests in hand get
    `shutdown_seconds` to finish. Signals are not touched.
    """
    # aiohttp waits twice: for a request to finish, and again after it has broken off the reading of its body.
    runner = _Runner(application, handle_signals=False, access_log=None, shutdown_timeout=shutdown_seconds / 2)
    runner.bounds = bounds or Bounds()
    runner.answers = instant
    return runner


def build_application(
    routes: Iterable[Route],
    guard: Guard,
    limits: RateLimits,
    *,
    secure_cookies: bool,
    proxies: Proxies | None = None,
) -> web.Application:
    """The application that serves `routes`, in their order; only what `proxies` say of a client is believed."""
    application = web.Application(middlewares=[edge], client_max_size=0)
    application[SECURE_COOKIES] = secure_cookies
    application[OWN_HEADERS] = SITE_HEADERS | (STRICT_TRANSPORT if secure_cookies else {})
    application[PROXIES] = proxies or Proxies()
    for route in routes:
        handler = adapt(route, guard, limits)
        if route.method == "GET":
            application.router.add_get(route.path, handler)
        else:
            application.router.add_route(route.method, route.path, handler)
    application.on_response_prepare.append(_finish_headers)
    return application
