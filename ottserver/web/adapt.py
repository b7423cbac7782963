"""From a `Route` to an aiohttp handler: guard, parse, call, answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiohttp import hdrs, web
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from ottserver.errors import Malformed, NotFound, TooLarge, Unsupported
from ottserver.ids import is_id
from ottserver.web.clients import client_of
from ottserver.web.limits import fields
from ottserver.web.problems import invalid
from ottserver.web.routing import Access, Call, NoBody, NoQuery, Reply, Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ottserver.web.guards import Guard
    from ottserver.web.limits import Allowance, RateLimits

SECURE_COOKIES = web.AppKey("secure_cookies", bool)
"""Whether users reach this server over TLS, so that cookies must never travel without it."""
RATE_LIMIT_FIELDS: web.RequestKey[Mapping[str, str]] = web.RequestKey("rate_limit_fields", Mapping)
"""Header fields that say what a rate limit leaves; whatever the answer is, it carries them."""
BODY_LIMIT = 256 * 1024
"""Bytes of a JSON body. Uploads read their own bodies, in chunks."""
BODY_SECONDS = 30.0
"""How long a JSON body may be on its way."""


def adapt(route: Route, guard: Guard, limits: RateLimits) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The aiohttp handler of a route."""
    policy = route.policy
    guarded = not (route.raw and route.access is Access.PUBLIC)
    id_names = [name for name in _path_names(route.path) if name.endswith("_id") and not route.raw]

    async def handle(request: web.Request) -> web.StreamResponse:
        taken = [] if policy is None else await limits.of_address(client_of(request).address, policy)
        _tell(request, taken)
        caller = await guard.admit(request, route.access) if guarded else None
        if policy is not None and caller is not None:
            _tell(request, taken + await limits.of_account(caller.account_id, policy))
        for name in id_names:
            if not is_id(request.match_info[name]):
                message = f"There is no {name.removesuffix('_id').replace('_', ' ')} with this id."
                raise NotFound(message)
        body = NoBody() if route.body is NoBody else await read_body(request, route.body)
        query = NoQuery() if route.query is NoQuery else read_query(request, route.query)
        answer = await route.handler(Call(request, body, query, request.match_info, caller))
        return respond(request, answer, default=route.status) if isinstance(answer, Reply) else answer

    return handle


def _tell(request: web.Request, taken: list[Allowance]) -> None:
    """Let the answer say what is left. Raises `TooMany` when nothing was."""
    if taken:
        request[RATE_LIMIT_FIELDS] = fields(taken)
    for allowance in taken:
        allowance.check()


def _path_names(path: str) -> list[str]:
    return [part.split("}")[0].split(":")[0] for part in path.split("{")[1:]]


async def read_body(request: web.Request, model: type[BaseModel]) -> BaseModel:
    """The JSON body as a `model`. Raises `Unsupported`, `TooLarge`, `Malformed` or `Invalid`."""
    if request.content_type != "application/json" and request.can_read_body:
        message = f"The body should be application/json, not {request.content_type}."
        raise Unsupported(message)
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        message = "The body should not be compressed."
        raise Unsupported(message)
    text = _text(await _read(request))
    try:
        return model.model_validate_json(text or "{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            message = f"The body is not JSON: {first['ctx']['error']}."
            raise Malformed(message) from error
        raise invalid(error, "body") from error


async def _read(request: web.Request) -> bytes:
    if (request.content_length or 0) > BODY_LIMIT:
        raise _too_large()
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_chunked(65536):
                data += chunk
                if len(data) > BODY_LIMIT:
                    raise _too_large()
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error
    return bytes(data)


def _too_large() -> TooLarge:
    return TooLarge(f"The body is larger than {BODY_LIMIT} bytes.")


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"The body is not UTF-8: byte {error.start} is not valid there."
        raise Malformed(message) from error


def read_query(request: web.Request, model: type[BaseModel]) -> BaseModel:
    """The query's known names as a `model`; others are ignored. Raises `Invalid`."""
    known = {name: value for name, value in request.query.items() if name in model.model_fields}
    try:
        return model.model_validate(known)
    except ValidationError as error:
        raise invalid(error, "query") from error


def respond(request: web.Request, reply: Reply, *, default: int) -> web.Response:
    """The JSON response to a `Reply`."""
    status = default if reply.status is None else reply.status
    headers = {hdrs.CACHE_CONTROL: "no-store", **reply.headers}
    if reply.content is None:
        response = web.Response(status=status, headers=headers)
    else:
        body = to_json(reply.content, inf_nan_mode="null")
        response = web.Response(status=status, body=body, content_type="application/json", headers=headers)
    secure = client_of(request).secure or request.app[SECURE_COOKIES]
    for cookie in reply.cookies:
        response.set_cookie(
            cookie.name,
            cookie.value,
            max_age=cookie.max_age,
            path=cookie.path,
            httponly=True,
            samesite="Strict",
            secure=secure,
        )
    return response
