"""Cached segments before aiohttp parses anything: the same answers as `handlers`, for whole segments and single ranges.

Tickets not seen before, misses, manifests, conditions and whatever is to be refused are left to `handlers`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import hdrs

from ottserver.delivery import conditions
from ottserver.delivery.cors import Cors
from ottserver.delivery.handlers import IMMUTABLE
from ottserver.web.instant import Instant

if TYPE_CHECKING:
    from ottserver.delivery.edge import Body
    from ottserver.delivery.metrics import DeliveryMetrics
    from ottserver.delivery.service import Delivery
    from ottserver.web.instant import Fields, InstantAnswers


def instant_media(delivery: Delivery, metrics: DeliveryMetrics, origins: tuple[str, ...]) -> InstantAnswers:
    """What answers plain GETs of cached segments; `origins` as for `handlers.routes`."""
    cors = Cors(origins)
    same_origin = _lines(cors.headers(None))

    def answer(path: str, fields: Fields) -> Instant | None:
        found = delivery.peek(path)
        if found is None:
            return None
        ticket, body = found
        size = len(body.data)
        part = ""
        status = HTTPStatus.OK
        data: bytes | memoryview = body.data
        if fields.range is not None:
            wanted = conditions.answer("GET", {hdrs.RANGE: fields.range}, body.etag, size)
            status = wanted.status
            if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return None
            if status == HTTPStatus.PARTIAL_CONTENT:
                data = memoryview(data)[wanted.start : wanted.end]
                part = f"Content-Range: bytes {wanted.start}-{wanted.end - 1}/{size}\r\n"
        allowed = same_origin if fields.origin is None else _lines(cors.headers(fields.origin))
        delivery.took(ticket)
        metrics.segment_bytes.inc(len(data))
        return Instant(status, f"{_told(body)}{part}{allowed}", data)

    return answer


def _told(body: Body) -> str:
    return (
        f"Etag: {body.etag}\r\nAccept-Ranges: bytes\r\nCache-Control: {IMMUTABLE}\r\n"
        f"Content-Type: {body.content_type}\r\n"
    )


def _lines(headers: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())
