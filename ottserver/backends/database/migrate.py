"""Brings a database to the schema of this version, one process at a time."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from ottserver.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine.interfaces import DBAPIConnection

SCRIPTS = Path(__file__).parent / "migrations"
LOCK_WAIT_MS = 10_000
"""How long another program may keep the file locked."""


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def migrate_sqlite(path: Path) -> None:
    """Create or upgrade the file's schema; blocks, so call it off the event loop.

    Raises `SettingsError` when the folder cannot be written, the file is no database, or a newer version wrote it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _file_lock(path.with_name(path.name + ".lock")):
            _upgrade(path)
    except OSError as error:
        message = f"database_url: {path} cannot be written: {error.strerror}"
        raise SettingsError(message) from error
    except sa.exc.DatabaseError as error:
        message = f"database_url: {path} cannot be used as a SQLite database: {error.orig}"
        if getattr(error.orig, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
            message = f"database_url: another program keeps {path} locked; start again when it is done"
        raise SettingsError(message) from error


def _engine(path: Path) -> sa.Engine:
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), poolclass=sa.pool.NullPool)

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: DBAPIConnection, _record: object) -> None:
        # The driver would commit before each statement that changes the schema; SQLite itself needs no such thing.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={LOCK_WAIT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _upgrade(path: Path) -> None:
    """Run what is missing in one transaction: killed in the middle, the schema is still the old one."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    with _engine(path).begin() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        if current == script.get_current_head():
            return
        known = {revision.revision for revision in script.walk_revisions()}
        if current is not None and current not in known:
            message = (
                f"database_url: {path} was written by a newer version of ottserver (schema {current}); "
                "start that version, or restore a backup made by this one"
            )
            raise SettingsError(message)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
