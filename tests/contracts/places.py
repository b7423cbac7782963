"""Installations for the archive's tests to save and to restore."""

from __future__ import annotations

import hashlib
import importlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ottserver.backends.archive import rows
from ottserver.backends.archive.restore import restore
from ottserver.backends.blobs import Blobs, open_blobs
from ottserver.backends.database import Database, open_database
from tests.support.server import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

for store in sorted((ROOT / "ottserver").glob("*/store.py")):
    importlib.import_module(f"ottserver.{store.parent.name}.store")

FILM = bytes(range(256)) * 5000
SOURCE = f"sources/ab/{hashlib.sha256(FILM).hexdigest()}"


def quiet(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


@dataclass
class Place:
    """An installation: its database, its blobs, and a scratch folder."""

    database: Database
    blobs: Blobs
    scratch: Path

    async def restore(self, file: Path) -> None:
        await restore(self.database, self.blobs, file, quiet, scratch=self.scratch)

    async def contents(self) -> tuple[dict[str, list[dict[str, Any]]], dict[str, bytes]]:
        """All rows by table, and all blobs by key."""
        found: dict[str, list[dict[str, Any]]] = {}
        async with self.database.reading() as connection:
            for name, table in rows.tables().items():
                result = await connection.execute(sa.select(table).order_by(*table.primary_key))
                found[name] = [dict(row) for row in result.mappings()]
        keys = [blob.key for folder in ("sources", "artwork") async for blob in self.blobs.list(folder)]
        return found, {key: await self.blobs.get(key) for key in keys}


EMPTY: tuple[dict[str, list[dict[str, Any]]], dict[str, bytes]] = ({name: [] for name in rows.tables()}, {})


@asynccontextmanager
async def open_place(database_url: str, blobs_url: str, folder: Path) -> AsyncIterator[Place]:
    scratch = folder / "scratch"
    async with open_database(database_url) as database, open_blobs(blobs_url, scratch) as blobs:
        yield Place(database, blobs, scratch)


def example(table: sa.Table, number: int) -> dict[str, Any]:
    """A row with a value of its type in each column, and nothing in those that may be empty in odd rows."""
    values: dict[str, Any] = {}
    for column in table.columns:
        if column.nullable and number % 2:
            values[column.name] = None
        elif isinstance(column.type, sa.JSON):
            values[column.name] = {"list": [1, 2.5, None, "ü"], "n": number}
        elif isinstance(column.type, sa.String):
            values[column.name] = f"{column.name} {number}"[: column.type.length]
        elif isinstance(column.type, sa.Boolean):
            values[column.name] = bool(number % 2)
        elif isinstance(column.type, sa.Integer | sa.Float):
            values[column.name] = number
        else:
            values[column.name] = datetime(2026, 1, 1, 0, 0, number, 1, tzinfo=UTC)
    return values
