"""`import`: films from this machine's disks, one line of JSON for each."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ottserver import logs
from ottserver.app import Rooms, open_rooms, working_unless_served
from ottserver.catalog.models import Details
from ottserver.commands.common import Failure, run, takes_settings
from ottserver.commands.waiting import Waiting
from ottserver.errors import Invalid, OttError
from ottserver.ingest.beside import ENDINGS, beside
from ottserver.ingest.library import films, guess
from ottserver.transcode.sidecars import MOST_BYTES, Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, TaskID

    from ottserver.catalog.models import Video
    from ottserver.settings import Settings

Wait = Literal["playable", "complete"]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line says of the films; nothing where the file itself is to tell."""

    title: str | None
    description: str
    wait: Wait | None


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--title", help="The film's title; without it the file's name tells. For a single film.")
@click.option("--description", default="", help="What the title page says.")
@click.option("--wait", type=click.Choice(["playable", "complete"]), help="Return only when the films are that far.")
@takes_settings()
def import_films(
    settings: Settings, paths: tuple[Path, ...], title: str | None, description: str, wait: Wait | None
) -> None:
    """Take films into the library: files, or folders and all films below them.

    Safe beside a running server, which takes up the encoding.
    """
    # Between the bars of a terminal a line for each film would only tear them.
    logs.configure(settings.log, logging.WARNING if sys.stderr.isatty() else logging.INFO)
    try:
        found = films(path.absolute() for path in paths)
    except FileNotFoundError as error:
        message = f"{error} does not exist"
        raise Failure(message) from error
    if not found:
        message = "there is no film in " + ", ".join(str(path) for path in paths)
        if any(path.suffix.lower() in ENDINGS for path in paths):
            message += "; subtitles come along with a film that is called like them, as film.en.srt with film.mp4"
        raise Failure(message)
    if title is not None and len(found) > 1:
        message = f"--title is for a single film, and {len(found)} were found"
        raise Failure(message)
    try:
        f"{title}{description}".encode()
    except UnicodeEncodeError as error:
        message = "--title and --description have to be UTF-8"
        raise Failure(message) from error
    try:
        failed = run(_import(settings, found, Wishes(title, description, wait)))
    except KeyboardInterrupt as error:
        message = "stopped; what was taken in stays, and the same command goes on from there"
        raise Failure(message) from error
    if failed:
        message = f"{failed} of {len(found)} could not be imported"
        raise Failure(message)


async def _import(settings: Settings, found: list[Path], wishes: Wishes) -> int:
    from ottserver.commands.bars import bars  # noqa: PLC0415 - not for a server

    failed = 0
    async with AsyncExitStack() as stack:
        rooms = await stack.enter_async_context(open_rooms(settings))
        if wishes.wait is not None:
            await stack.enter_async_context(working_unless_served(rooms))
        progress = stack.enter_context(bars())
        for path in found:
            try:
                video = await _import_one(rooms, path, wishes, progress)
            except OttError as error:
                with _bars_away(progress):
                    click.echo(f"ottserver: {error.detail}", err=True)
                failed += 1
                continue
            failed += video.status == "failed"
    return failed


async def _import_one(rooms: Rooms, path: Path, wishes: Wishes, progress: Progress) -> Video:
    from ottserver.commands.bars import described  # noqa: PLC0415 - not for a server

    task = progress.add_task(described(_utf8(path.name), "reading", progress.console.width), total=None)
    try:
        return await _import_with(rooms, path, wishes, progress, task)
    finally:
        progress.remove_task(task)


async def _import_with(rooms: Rooms, path: Path, wishes: Wishes, progress: Progress, task: TaskID) -> Video:
    def read(done: int, total: int) -> None:
        progress.update(task, completed=done, total=total)

    source = await rooms.importer.import_file(path, read)
    guessed = guess(path.stem)
    details = Details(
        title=wishes.title or guessed.title, description=wishes.description, year=None if wishes.title else guessed.year
    )
    video_id, created = await rooms.catalog.add_film(source.source_id, details)
    subtitles = await _subtitles(rooms, source.source_id, path, progress)
    video = await rooms.catalog.video(video_id)
    if wishes.wait is not None:
        video = await _wait(rooms, video_id, wishes.wait, progress, task)
    answer = {
        "video_id": video_id,
        "title": video.details.title,
        "status": video.status,
        "reason": video.reason,
        "path": _utf8(path),
        "created": created,
        "subtitles": subtitles,
    }
    with _bars_away(progress):
        click.echo(json.dumps(answer, ensure_ascii=False))
        if video.status == "failed":
            click.echo(f"ottserver: {path}: {video.reason}", err=True)
    return video


async def _subtitles(rooms: Rooms, source_id: str, film: Path, progress: Progress) -> list[str]:
    """Add the subtitle files that lie beside the film; their names. What is wrong with one is said, and no more."""
    added = []
    for one in await asyncio.to_thread(beside, film):
        try:
            if (await asyncio.to_thread(one.path.stat)).st_size > MOST_BYTES:
                message = "It is too large for a subtitle file."
                raise Invalid(message)
            data = await asyncio.to_thread(one.path.read_bytes)
            words = Words(one.language, one.label, one.default, one.forced, one.hearing_impaired)
            await rooms.transcode.sidecars.add(source_id, data, words)
            added.append(_utf8(one.path.name))
        except (OttError, OSError) as error:
            why = error.detail if isinstance(error, OttError) else f"It cannot be read: {error.strerror}."
            with _bars_away(progress):
                click.echo(f"ottserver: subtitles {_utf8(one.path)} were left out: {why}", err=True)
    return added


def _utf8(path: Path | str) -> str:
    """The path as text: old disks have names that are not UTF-8; JSON is."""
    return os.fsencode(path).decode(errors="replace")


async def _wait(rooms: Rooms, video_id: str, wait: Wait, progress: Progress, task: TaskID) -> Video:
    """Look on until the video is as far as asked, or has failed."""
    progress.update(task, visible=False)
    enough = ("playable", "complete", "failed") if wait == "playable" else ("complete", "failed")
    return await Waiting(rooms, video_id, progress).until(enough)


@contextmanager
def _bars_away(progress: Progress) -> Iterator[None]:
    """Room for a line of its own where the bars are drawn on the same terminal."""
    progress.stop()
    yield
    progress.start()
