"""Tables as lines of JSON, read from one database scheme and written to any other."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from pydantic_core import to_json

from ottserver.backends.database.schema import UtcDateTime, consumer_positions, metadata, outbox
from ottserver.errors import Conflict, Invalid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

BATCH = 200
CARRIED = (sa.String, sa.Integer, sa.Float, sa.Boolean, sa.JSON, UtcDateTime)
"""Types of columns whose values survive the way through JSON."""


def tables() -> dict[str, sa.Table]:
    """Every table of every room that is loaded, parents before children."""
    return {table.name: table for table in metadata.sorted_tables}


async def revision(connection: AsyncConnection) -> str:
    """The schema's revision, as Alembic keeps it."""
    return str(await connection.scalar(sa.text("SELECT version_num FROM alembic_version")))


async def dump(connection: AsyncConnection, table: sa.Table, path: Path) -> int:
    """Write all rows to a file, one JSON object a line; how many there were."""
    count = 0
    file = await asyncio.to_thread(path.open, "wb")
    try:
        result = await connection.stream(sa.select(table).order_by(*table.primary_key))
        async for rows in result.mappings().partitions(BATCH):
            lines = b"".join(to_json(dict(row)) + b"\n" for row in rows)
            await asyncio.to_thread(file.write, lines)
            count += len(rows)
    finally:
        await asyncio.to_thread(file.close)
    return count


async def load(connection: AsyncConnection, table: sa.Table, lines: AsyncIterator[bytes]) -> int:
    """Insert rows; how many there were. Raises `Invalid` for a line that is no row of this table."""
    target = sa.table(table.name, *(sa.column(column.name, _written(column.type)) for column in table.columns))
    moments = [column.name for column in table.columns if isinstance(column.type, UtcDateTime)]
    names = set(table.columns.keys())
    count = 0
    batch: list[dict[str, Any]] = []
    async for line in lines:
        batch.append(_row(line, names, moments, table.name))
        if len(batch) == BATCH:
            count += await _insert(connection, target, batch)
    return count + await _insert(connection, target, batch)


async def _insert(connection: AsyncConnection, target: sa.TableClause, batch: list[dict[str, Any]]) -> int:
    count = len(batch)
    if count:
        await connection.execute(target.insert(), batch)
        batch.clear()
    return count


def _row(line: bytes, names: set[str], moments: list[str], table: str) -> dict[str, Any]:
    try:
        row: dict[str, Any] = json.loads(line)
        if row.keys() != names:
            raise KeyError(table)
        for name in moments:
            if row[name] is not None:
                row[name] = datetime.fromisoformat(row[name])
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        message = f"The backup has a line that is no row of the table {table}."
        raise Invalid(message) from error
    return row


def _written(kind: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    # A column that had no value gets none again, rather than JSON's null.
    return sa.JSON(none_as_null=True) if isinstance(kind, sa.JSON) else kind


async def check_empty(connection: AsyncConnection) -> None:
    """Raise `Conflict` when any table but the consumers' positions has a row."""
    for name, table in tables().items():
        if table is not consumer_positions and await connection.scalar(sa.select(sa.literal(1)).select_from(table)):
            message = f"This installation is not empty: its table {name} has rows. Restore into a new data folder."
            raise Conflict(message)


async def settle_positions(connection: AsyncConnection) -> None:
    """Put consumers behind the next fact.

    A position may be ahead of every fact that was kept, and the restored outbox counts on from the last one it has.
    """
    last = await connection.scalar(sa.select(sa.func.max(outbox.c.seq))) or 0
    await connection.execute(
        consumer_positions.update().where(consumer_positions.c.position > last).values(position=last)
    )
