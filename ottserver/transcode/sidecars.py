"""Subtitles that people bring as files of their own: made into WebVTT by a child, kept beside the source."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from ottserver.backends.ffmpeg.spawn import end_child, log_stderr, start_child
from ottserver.errors import Conflict, Invalid, NotFound
from ottserver.events import SubtitlesChanged
from ottserver.languages import language_tag, own_name
from ottserver.media import TextTrack, sidecar_key
from ottserver.transcode import store
from ottserver.transcode.forms import PLAN

if TYPE_CHECKING:
    from ottserver.backends.blobs import Blobs
    from ottserver.backends.database import Database

MOST_BYTES = 16 << 20
"""Of a file: the words of any film take less."""
MOST_FILES = 64
"""Beside one film."""
_MODULE = "ottserver.transcode.sidecar"
_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the child prints: the file and what it was, or a sentence that says why there is none."""

    vtt: str = ""
    codec: str = ""
    failed: str = ""


OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of a subtitle file."""

    language: str = "und"
    label: str = ""
    default: bool = False
    forced: bool = False
    hearing_impaired: bool = False


class Sidecars:
    """The subtitle files beside sources, from whichever process brings them."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        """Keep rows in `database` and files in `blobs`."""
        self._database = database
        self._blobs = blobs

    async def add(self, source_id: str, data: bytes, words: Words) -> tuple[TextTrack, bool]:
        """Add a file to the source, once; the track, and whether it is new.

        The file is written before the row that speaks of it, under a name that its bytes decide: what a crash leaves
        half done, the next call completes. Raises `Invalid` for what cannot be shown and `Conflict` for too many.
        """
        if len(data) > MOST_BYTES:
            message = f"A subtitle file may have {MOST_BYTES >> 20} MB; this one is larger."
            raise Invalid(message)
        tag = language_tag(words.language)
        outcome = await self._convert(source_id, data, tag)
        digest = hashlib.sha256(f"{words}{tag}".encode() + outcome.vtt.encode()).hexdigest()[:10]
        track = TextTrack(
            name=f"x{digest}",
            language=tag,
            label=words.label.strip() or own_name(tag),
            kind="text",
            codec=outcome.codec,
            default=words.default,
            forced=words.forced,
            hearing_impaired=words.hearing_impaired,
        )
        await self._blobs.put(sidecar_key(source_id, track.name), outcome.vtt.encode())
        async with self._database.writing() as work:
            if len(await store.sidecars_of(work.connection, source_id)) >= MOST_FILES:
                message = f"A film may have {MOST_FILES} subtitle files beside it, and this one has them."
                raise Conflict(message)
            added = await store.add_sidecar(work.connection, source_id, track)
            if added:
                await work.announce(SubtitlesChanged(source_id))
        return track, added

    async def remove(self, source_id: str, name: str) -> None:
        """Take a file away from the source. Raises `NotFound`."""
        async with self._database.writing() as work:
            if not await store.remove_sidecars(work.connection, source_id, name):
                message = "There are no such subtitles that were added to this film."
                raise NotFound(message)
            await work.announce(SubtitlesChanged(source_id))
        await self._blobs.delete(sidecar_key(source_id, name))

    async def _convert(self, source_id: str, data: bytes, tag: str) -> Outcome:
        async with self._database.reading() as connection:
            row = await store.of_source(connection, source_id)
        rate = "0" if row is None else PLAN.validate_json(row.plan).report.video.frame_rate
        outcome = await _converted(data, tag, rate)
        if outcome.failed:
            raise Invalid(outcome.failed)
        return outcome


async def _converted(data: bytes, tag: str, rate: str) -> Outcome:
    child = await start_child(_MODULE, tag, rate, keep_stdin=True)
    errors = asyncio.create_task(log_stderr(child))
    try:
        async with asyncio.timeout(_SECONDS):
            output, _ = await asyncio.gather(_read(child), _write(child, data))
            return OUTCOME.validate_json(output)
    except (TimeoutError, OSError, ValidationError):
        return Outcome(failed="It could not be read; it may be damaged.")
    finally:
        await end_child(child)
        await errors


async def _read(child: asyncio.subprocess.Process) -> bytes:
    return await child.stdout.read() if child.stdout else b""


async def _write(child: asyncio.subprocess.Process, data: bytes) -> None:
    if child.stdin is not None:
        child.stdin.write(data)
        await child.stdin.drain()
        child.stdin.close()
