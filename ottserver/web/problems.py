"""From domain errors to RFC 9457 problem details: the one table that knows both."""

from __future__ import annotations

import json
import math
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from ottserver import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import ValidationError

CONTENT_TYPE = "application/problem+json"

STATUS: dict[type[errors.OttError], HTTPStatus] = {
    errors.Malformed: HTTPStatus.BAD_REQUEST,
    errors.NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    errors.PaymentRequired: HTTPStatus.PAYMENT_REQUIRED,
    errors.Denied: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Gone: HTTPStatus.GONE,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.Unsupported: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Busy: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.NoRoom: HTTPStatus.INSUFFICIENT_STORAGE,
}

NAME_LIMIT = 100
"""Characters of a field's name that are repeated to the client, who may have made it up."""

NOTHING = "There is nothing at this address."
EXPLAINED = {
    404: NOTHING,
    408: "The request did not arrive in time.",
    431: "The request's head is larger than this server accepts.",
    417: "The only expectation that is met is 100-continue.",
    405: "This address does not answer that method.",
    413: "The request's body is larger than this address accepts.",
}


def problem(
    status: int,
    title: str,
    detail: str,
    *,
    wrong: tuple[errors.FieldError, ...] = (),
    extra: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """A problem document as a response; `wrong` becomes its `errors`, `extra` more members (RFC 9457, section 3.2)."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        **(extra or {}),
    }
    if wrong:
        body["errors"] = [{"field": error.field, "message": error.message} for error in wrong]
    return web.Response(
        status=status,
        body=json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"),
        content_type=CONTENT_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def from_error(error: errors.OttError) -> web.Response:
    """The response to a domain error."""
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), HTTPStatus.BAD_REQUEST)
    headers: dict[str, str] = {}
    if isinstance(error, (errors.TooMany, errors.Busy)):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="ottserver"'
    return problem(int(status), error.title, error.detail, wrong=error.errors, extra=error.extra, headers=headers)


def from_http(error: web.HTTPException) -> web.Response:
    """The response to what aiohttp itself refuses: no such route, wrong method, body too large."""
    headers = {name: value for name, value in error.headers.items() if name in ("Allow", "Location")}
    detail = EXPLAINED.get(error.status, error.reason)
    return problem(error.status, HTTPStatus(error.status).phrase, detail, headers=headers)


def invalid(error: ValidationError, where: str) -> errors.Invalid:
    """The domain error for a `where` ("body" or "query") that pydantic refused."""
    found = tuple(
        errors.FieldError(
            ".".join(str(part) for part in item["loc"])[:NAME_LIMIT] or where,
            item["msg"].removeprefix("Value error, "),
        )
        for item in error.errors(include_url=False, include_context=False, include_input=False)[:20]
    )
    return errors.Invalid(f"The {where} is not valid: {found[0].field}: {found[0].message}.", errors=found)
