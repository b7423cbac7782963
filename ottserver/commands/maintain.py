"""`migrate`, `backup`, `restore`, `doctor`: for whoever keeps an installation alive."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ottserver import datafolder, logs
from ottserver.app import open_rooms
from ottserver.backends.archive.backup import backup as write_archive
from ottserver.backends.archive.restore import restore as read_archive
from ottserver.backends.archive.rows import revision
from ottserver.backends.database import open_database
from ottserver.commands.checks import examine
from ottserver.commands.common import Failure, run, takes_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ottserver.settings import Settings

_FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@contextmanager
def _bar(label: str) -> Iterator[Callable[[int, int], None]]:
    from ottserver.commands.bars import bar_of_bytes  # noqa: PLC0415 - not for a server

    with bar_of_bytes(label) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def _sentences(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"{file}: {error.strerror or error}"
        raise Failure(message) from error


@click.command("migrate")
@takes_settings()
def migrate(settings: Settings) -> None:
    """Bring the database to this version's schema, as a start does too."""
    run(_migrate(settings))


async def _migrate(settings: Settings) -> None:
    datafolder.prepare(settings.data)
    async with open_database(settings.effective_database_url) as database, database.reading() as connection:
        click.echo(f"the database has schema {await revision(connection)}")


@click.command("backup")
@_FILE
@click.option("--with-segments", is_flag=True, help="Also what can be made again: encoded segments.")
@takes_settings()
def backup(settings: Settings, file: Path, *, with_segments: bool) -> None:
    """Write everything that must survive to FILE, beside a running server if there is one.

    FILE holds password hashes: keep it safe. The secret that signs tokens is not in it.
    """
    logs.configure(settings.log)
    with _sentences(file), _bar("backup") as progress:
        run(_backup(settings, file.absolute(), progress, with_segments=with_segments))
    click.echo(f"{file}: {file.stat().st_size} bytes")


async def _backup(settings: Settings, file: Path, progress: Callable[[int, int], None], *, with_segments: bool) -> None:
    async with open_rooms(settings) as rooms:
        await write_archive(rooms.database, rooms.blobs, file, progress, with_segments=with_segments)


@click.command("restore")
@_FILE
@takes_settings()
def restore(settings: Settings, file: Path) -> None:
    """Bring back what `backup` wrote to FILE, into an installation that is empty and not running."""
    logs.configure(settings.log)
    with _sentences(file), _bar("restore") as progress:
        run(_restore(settings, file.absolute(), progress))
    click.echo(f"{file} is restored")


async def _restore(settings: Settings, file: Path, progress: Callable[[int, int], None]) -> None:
    async with open_rooms(settings) as rooms:
        with datafolder.held(settings.data) as alone:
            if not alone:
                message = f"a server runs with the data folder {settings.data}; stop it first"
                raise Failure(message)
            await read_archive(rooms.database, rooms.blobs, file, progress, scratch=settings.data / "scratch")


@click.command("doctor")
@takes_settings()
def doctor(settings: Settings) -> None:
    """Check settings, backends, disk and programs; say what to mend. Exit code 1 when something is wrong."""
    if not run(_doctor(settings)):
        sys.exit(1)


async def _doctor(settings: Settings) -> bool:
    well = True
    async for finding in examine(settings):
        well = well and finding.well
        click.echo(f"{'ok  ' if finding.well else 'FAIL'}  {finding.name}: {finding.sentence}")
    return well
