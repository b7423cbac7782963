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

SCRIPTS = Path(__file__).parent / "migrations"


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
        raise SettingsError(message) from error


def _upgrade(path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
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
        connection.commit()
