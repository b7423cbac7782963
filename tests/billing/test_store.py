from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from ottserver.backends.database.schema import metadata
from ottserver.billing.store import grants

if TYPE_CHECKING:
    from pathlib import Path

    from ottserver.backends.database import Database

TABLES = {table.name for table in (grants,)}


def differences(path: Path) -> list[object]:
    """What Alembic would change in the file to make it what the store declares."""
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), poolclass=sa.pool.NullPool)
    options = {"include_name": lambda name, kind, _parents: kind != "table" or name in TABLES, "compare_type": True}
    declared = sa.MetaData(naming_convention=metadata.naming_convention)
    for name in TABLES:
        metadata.tables[name].to_metadata(declared)
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), declared))


async def test_migrations_create_exactly_the_declared_tables(database: Database, tmp_path: Path) -> None:
    await database.check()
    assert await asyncio.to_thread(differences, tmp_path / "ott.db") == []
