"""Time: always UTC, and RFC 3339 on the wire."""

from __future__ import annotations

from datetime import UTC, datetime


def utcnow() -> datetime:
    """The present moment as an aware datetime in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """The moment as RFC 3339 text in UTC with milliseconds, such as 2026-11-23T10:15:00.000Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
