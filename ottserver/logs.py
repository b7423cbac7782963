"""What the process says while it works: one line an event on standard error, as text or as JSON."""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Literal

from pythonjsonlogger.json import JsonFormatter

_TICKET = re.compile(r"(?<![A-Za-z0-9_-])([A-Za-z0-9_-]{6})[A-Za-z0-9_-]{94}(?![A-Za-z0-9_-])")
"""What has the shape of a ticket, wherever it stands: in a path, in an exception, in what a library says."""

_NOISY = ("aiosqlite", "alembic", "asyncio", "sqlalchemy")


def redacted(text: str) -> str:
    """The text without the better part of each ticket: whoever reads logs must not be able to play."""
    return _TICKET.sub(r"\1…", text)


class _JsonFormatter(JsonFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - the base's signature
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def configure(style: Literal["json", "text"], level: int = logging.INFO) -> None:
    """Send all logging to standard error: standard output belongs to the ready line and to commands' answers."""
    handler = logging.StreamHandler(sys.stderr)
    if style == "json":
        handler.setFormatter(
            _JsonFormatter(
                "%(levelname)s %(name)s %(message)s",
                rename_fields={"levelname": "level", "name": "logger"},
                timestamp="time",
            )
        )
    else:
        handler.setFormatter(_TextFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
