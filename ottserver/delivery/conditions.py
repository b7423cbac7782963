"""What a GET or HEAD of known bytes is to be answered: RFC 9110 sections 13 (conditional requests) and 14 (ranges).

Entity tags only: the bytes have no date of their own, so If-Modified-Since and If-Unmodified-Since are not looked at.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

_RANGE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.ASCII | re.IGNORECASE)
_ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_BEYOND = 1 << 62
"""Stands for a position of more digits than any file has bytes."""
_DIGITS = 18

_WHOLE, _PART, _NO_PART = (
    HTTPStatus.OK,
    HTTPStatus.PARTIAL_CONTENT,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
)
"""Looked up once: an enumeration's look-up costs as much as the rest of an answer."""

CONDITIONAL = ("Range", "If-None-Match", "If-Range", "If-Match")
"""The request headers that `answer` looks at."""


class FieldLines(Protocol):
    """The header fields of a request, where a name may come on several lines."""

    def __contains__(self, name: object) -> bool:
        """Whether there is a line of that name."""
        ...

    def getall(self, name: str) -> list[str]:
        """The value of each line of that name."""
        ...


def joined(lines: FieldLines) -> dict[str, str]:
    """What `answer` looks at, several lines of one name as one (RFC 9110 section 5.3).

    A list of entity tags may be cut in lines at will. Two ranges, or two tags in If-Range, make no sense together, and
    are answered as what makes no sense is.
    """
    return {name: ", ".join(lines.getall(name)) for name in CONDITIONAL if name in lines}


class Answer(NamedTuple):
    """A status, and which bytes go with it: from `start` up to, not including, `end`."""

    status: HTTPStatus
    start: int = 0
    end: int = 0


def answer(method: str, headers: Mapping[str, str], etag: str, size: int) -> Answer:
    """How to answer for a representation of `size` bytes whose strong entity tag is `etag`, quotes included.

    The order is that of RFC 9110 section 13.2.2. A Range of several parts, of another unit or that makes no sense is
    passed over (200), as section 14.2 allows; so is every Range on HEAD, for which none is defined.
    """
    if (wanted := headers.get("If-Match")) is not None and not _lists(wanted, etag, strong=True):
        return Answer(HTTPStatus.PRECONDITION_FAILED)
    if (held := headers.get("If-None-Match")) is not None and _lists(held, etag, strong=False):
        return Answer(HTTPStatus.NOT_MODIFIED)
    requested = headers.get("Range")
    if method != "GET" or requested is None:
        return Answer(HTTPStatus.OK, 0, size)
    if (unchanged := headers.get("If-Range")) is not None and unchanged.strip(" \t") != etag:
        return Answer(HTTPStatus.OK, 0, size)
    return ranged(requested, size)


def _lists(field: str, etag: str, *, strong: bool) -> bool:
    if field.strip(" \t") == "*":
        return True
    tags = _ENTITY_TAG.findall(field)
    return etag in tags or (not strong and f"W/{etag}" in tags)


def ranged(field: str, size: int) -> Answer:
    """How to answer a GET with this Range, and no condition, for `size` bytes."""
    match = _RANGE.fullmatch(field.strip(" \t"))
    if match is None:
        return Answer(_WHOLE, 0, size)
    first, last = match.groups()
    if not first:
        if not last:
            return Answer(_WHOLE, 0, size)
        length = _number(last)
        return Answer(_PART, max(0, size - length), size) if length and size else Answer(_NO_PART)
    start = _number(first)
    end = _number(last) + 1 if last else size
    if last and (end <= start or (start == _BEYOND and _order(last) < _order(first))):
        return Answer(_WHOLE, 0, size)
    if start >= size:
        return Answer(_NO_PART)
    return Answer(_PART, start, min(end, size))


def _order(digits: str) -> tuple[int, str]:
    """Compares as the number does, however many digits it has."""
    digits = digits.lstrip("0")
    return len(digits), digits


def _number(digits: str) -> int:
    if len(digits) > _DIGITS:
        digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= _DIGITS else _BEYOND
