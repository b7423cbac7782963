"""Writes an archive beside a running server."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import tempfile
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ottserver import __version__
from ottserver.backends.archive import rows
from ottserver.backends.archive.tar import CHUNK, TarWriter
from ottserver.backends.blobs import BlobMissing
from ottserver.clock import rfc3339, utcnow
from ottserver.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from ottserver.backends.blobs import BlobInfo, Blobs
    from ottserver.backends.database import Database

FORMAT = 1
FOLDERS = ("sources", "artwork", "extras", "subtitles")
REMAKEABLE = ("presentations",)
"""Folders of blobs that can be made again from the others."""


async def backup(
    database: Database,
    blobs: Blobs,
    file: Path,
    progress: Callable[[int, int], None],
    *,
    with_segments: bool = False,
) -> None:
    """Write everything durable to `file`, which is replaced only by a whole archive; readable by its owner alone.

    `progress` is told the bytes of blobs done and how many there are. A blob that is deleted meanwhile is left out.
    Raises `Conflict` when another backup writes to the same file, `OSError` when it cannot be written.
    """
    folders = FOLDERS + (REMAKEABLE if with_segments else ())
    async with _replacing(file) as writer:
        counts = await _tables(database, writer, file.parent)
        total = sum([blob.size async for blob in _listed(blobs, folders)])
        done = count = 0
        progress(done, total)
        async for blob in _listed(blobs, folders):
            try:
                digest = await writer.add(f"blobs/{blob.key}", blob.size, _chunks(blobs, blob))
            except BlobMissing:
                continue
            line = f"{digest}  blobs/{blob.key}\n"
            await writer.add_bytes(f"checksums/{blob.key}", line.encode())
            done, count = done + blob.size, count + 1
            progress(done, max(done, total))
        await writer.add_bytes("complete.json", json.dumps({"tables": counts, "blobs": count}).encode())


async def _tables(database: Database, writer: TarWriter, beside: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    scratch = await asyncio.to_thread(tempfile.TemporaryDirectory, dir=beside, prefix=".ottserver-backup-")
    try:
        folder = Path(scratch.name)
        async with database.reading() as connection:
            manifest = {
                "format": FORMAT,
                "version": __version__,
                "schema": await rows.revision(connection),
                "created_at": rfc3339(utcnow()),
            }
            for name, table in rows.tables().items():
                counts[name] = await rows.dump(connection, table, folder / name)
        await writer.add_bytes("manifest.json", json.dumps(manifest, indent=2).encode())
        for name in counts:
            await writer.add_file(f"tables/{name}.jsonl", folder / name)
    finally:
        await asyncio.to_thread(scratch.cleanup)
    return counts


async def _listed(blobs: Blobs, folders: tuple[str, ...]) -> AsyncIterator[BlobInfo]:
    for folder in folders:
        async for blob in blobs.list(folder):
            yield blob


async def _chunks(blobs: Blobs, blob: BlobInfo) -> AsyncIterator[bytes]:
    for start in range(0, blob.size, CHUNK):
        wanted = min(CHUNK, blob.size - start)
        chunk = await blobs.get_range(blob.key, start, wanted)
        if len(chunk) != wanted:
            raise BlobMissing(blob.key)
        yield chunk


@asynccontextmanager
async def _replacing(file: Path) -> AsyncIterator[TarWriter]:
    scratch = file.with_name(f".{file.name}.partial")
    handle = await asyncio.to_thread(os.open, scratch, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    stream = os.fdopen(handle, "wb")
    try:
        with _alone(stream, file):
            await asyncio.to_thread(stream.truncate, 0)
            try:
                writer = TarWriter(stream, utcnow().timestamp())
                yield writer
                await writer.finish()
                await asyncio.to_thread(_publish, stream, scratch, file)
            except BaseException:
                await asyncio.to_thread(scratch.unlink, missing_ok=True)
                raise
    finally:
        await asyncio.to_thread(stream.close)


@contextmanager
def _alone(stream: IO[bytes], file: Path) -> Iterator[None]:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        message = f"Another backup is writing to {file}."
        raise Conflict(message) from error
    yield


def _publish(stream: IO[bytes], scratch: Path, file: Path) -> None:
    stream.flush()
    os.fsync(stream.fileno())
    scratch.rename(file)
