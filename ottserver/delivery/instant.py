"""Cached segments before aiohttp parses anything: the same answers as `handlers`, for whole segments and single ranges.

Tickets not seen before, misses, manifests, conditions and whatever is to be refused are left to `handlers`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ottserver.delivery import cmcd, conditions
from ottserver.delivery.cors import Cors

if TYPE_CHECKING:
    from ottserver.delivery.metrics import DeliveryMetrics
    from ottserver.delivery.service import Delivery
    from ottserver.web.instant import Fields, Instant, InstantAnswers


_WHOLE, _PARTIAL, _NOT_SATISFIABLE = (
    HTTPStatus.OK,
    HTTPStatus.PARTIAL_CONTENT,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
)


def instant_media(delivery: Delivery, metrics: DeliveryMetrics, origins: tuple[str, ...]) -> InstantAnswers:
    """What answers plain GETs of cached segments; `origins` as for `handlers.routes`."""
    cors = Cors(origins)
    same_origin = _lines(cors.headers(None))

    def answer(path: str, query: str, part: str | None, fields: Fields) -> Instant | None:
        found = delivery.peek(path)
        if found is None:
            return None
        ticket, body = found
        size = len(body.data)
        status, placed = _WHOLE, ""
        data: bytes | memoryview = body.data
        if part is not None:
            status, start, end = conditions.ranged(part, size)
            if status is _NOT_SATISFIABLE:
                return None
            if status is _PARTIAL:
                data = memoryview(data)[start:end]
                placed = f"Content-Range: bytes {start}-{end - 1}/{size}\r\n"
        allowed = same_origin if fields.origin is None else _lines(cors.headers(fields.origin))
        delivery.took(ticket, body)
        metrics.segment_bytes.inc(len(data))
        said = fields.cmcd or cmcd.from_query(query)
        if said:
            delivery.told(ticket, body, said)
        return status, f"{body.told}{placed}{allowed}", data

    return answer


def _lines(headers: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())
