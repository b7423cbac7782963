"""`import`: films from this machine's disks, one line of JSON for each."""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
from collections import Counter
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, Task, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from ottserver import logs
from ottserver.app import Rooms, open_rooms, working_unless_served
from ottserver.catalog.models import Details
from ottserver.commands.common import Failure, run, takes_settings
from ottserver.errors import Invalid, OttError
from ottserver.ingest.beside import beside
from ottserver.ingest.library import films, guess
from ottserver.media import Outlook
from ottserver.transcode.sidecars import MOST_BYTES, Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ottserver.catalog.models import Video
    from ottserver.settings import Settings

Wait = Literal["playable", "complete"]
POLL_SECONDS = 0.5
_FILM = ""
# The bar of the whole film, among those that have the names of renditions.


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
    logs.configure(settings.log)
    try:
        found = films(path.absolute() for path in paths)
    except FileNotFoundError as error:
        message = f"{error} does not exist"
        raise Failure(message) from error
    if not found:
        message = "there is no film in " + ", ".join(str(path) for path in paths)
        raise Failure(message)
    if title is not None and len(found) > 1:
        message = f"--title is for a single film, and {len(found)} were found"
        raise Failure(message)
    try:
        f"{title}{description}".encode()
    except UnicodeEncodeError as error:
        message = "--title and --description have to be UTF-8"
        raise Failure(message) from error
    failed = run(_import(settings, found, Wishes(title, description, wait)))
    if failed:
        message = f"{failed} of {len(found)} could not be imported"
        raise Failure(message)


async def _import(settings: Settings, found: list[Path], wishes: Wishes) -> int:
    failed = 0
    async with AsyncExitStack() as stack:
        rooms = await stack.enter_async_context(open_rooms(settings))
        if wishes.wait is not None:
            await stack.enter_async_context(working_unless_served(rooms))
        progress = stack.enter_context(_bars())
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
    task = progress.add_task(f"{path.name}: reading", total=None)
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
    enough = ("playable", "complete", "failed") if wait == "playable" else ("complete", "failed")
    progress.update(task, visible=False)
    bars = {_FILM: progress.add_task("", total=None)}
    try:
        return await _look_on(rooms, video_id, enough, progress, bars)
    finally:
        for bar in bars.values():
            progress.remove_task(bar)


async def _look_on(
    rooms: Rooms, video_id: str, enough: tuple[str, ...], progress: Progress, bars: dict[str, TaskID]
) -> Video:
    """Show the film's bar, and below it one for each rendition, until the status is `enough`."""
    while True:
        video = await rooms.catalog.video(video_id)
        if video.status in enough:
            return video
        total = sum(rendition.segments for rendition in video.summary.renditions)
        made = await _stored(rooms, video.presentation_id) if video.presentation_id else Counter()
        ready = made.total()
        word = "encoding" if total else "examining"
        outlook = await rooms.transcode.outlook(video.presentation_id or "") if rooms.transcode.fills else Outlook()
        said = f"{video.details.title}: {outlook.waits_for or word}"
        progress.update(bars[_FILM], description=said, completed=ready, total=total or None, left=outlook.seconds_left)
        for rendition in video.summary.renditions:
            name = rendition.name
            if name not in bars:
                bars[name] = progress.add_task(f"  {name}", total=rendition.segments)
            progress.update(bars[name], completed=made[name], left=outlook.renditions.get(name))
        await asyncio.sleep(POLL_SECONDS)


async def _stored(rooms: Rooms, presentation_id: str) -> Counter[str]:
    """Segments in the blob store by rendition, whichever process makes them; what is copied has them all."""
    folder = f"presentations/{presentation_id}"
    keys = [info.key async for info in rooms.blobs.list(folder) if info.key.endswith(".m4s")]
    made = Counter(key.split("/")[2] for key in keys)
    presentation = await rooms.transcode.presentation(presentation_id)
    renditions = () if presentation is None else presentation.renditions
    return made | Counter({rendition.name: rendition.segments for rendition in renditions if rendition.copied})


@contextmanager
def _bars_away(progress: Progress) -> Iterator[None]:
    """Room for a line of its own where the bars are drawn on the same terminal."""
    progress.stop()
    yield
    progress.start()


class TimeLeftColumn(TimeRemainingColumn):
    """The scheduler's estimate, where this process encodes; else what the bar itself lets expect."""

    def render(self, task: Task) -> Text:
        """Hours, minutes and seconds."""
        left = task.fields.get("left")
        if left is None:
            return super().render(task)
        return Text(str(timedelta(seconds=math.ceil(left))), style="progress.remaining")


def _bars() -> Progress:
    """Progress bars on standard error, where that is a terminal."""
    console = Console(file=sys.stderr)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeLeftColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        disable=not console.is_terminal,
    )
