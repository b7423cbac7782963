"""Reads an archive into an installation that is empty."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from ottserver.backends.archive import rows
from ottserver.backends.archive.backup import FORMAT
from ottserver.backends.archive.tar import TarReader
from ottserver.backends.database.schema import consumer_positions
from ottserver.errors import Invalid

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Callable

    from ottserver.backends.blobs import Blobs
    from ottserver.backends.database import Database


async def restore(
    database: Database, blobs: Blobs, file: Path, progress: Callable[[int, int], None], *, scratch: Path
) -> None:
    """Bring back what `backup` wrote to `file`; nothing else may use the installation meanwhile.

    Blobs come first, each checked against its SHA-256; all rows follow in one transaction. A restore that fails takes
    its blobs away again; one that was killed leaves only blobs, and can be run again. `scratch` is a local folder that
    holds one blob at a time. `progress` is told the bytes read of how many. Raises `Invalid` for a file that is no
    whole archive of this version's schema, `Conflict` for an installation that is not empty, `OSError`.
    """
    async with database.reading() as connection:
        await rows.check_empty(connection)
        schema = await rows.revision(connection)
    stream = await asyncio.to_thread(file.open, "rb")
    work = _Restore(database, blobs, scratch, stream, str(file))
    try:
        await work.read_blobs(schema, progress)
        await work.load_rows()
    except BaseException:
        await work.undo()
        raise
    finally:
        await asyncio.to_thread(stream.close)


class _Restore:
    def __init__(self, database: Database, blobs: Blobs, scratch: Path, stream: IO[bytes], label: str) -> None:
        self._database = database
        self._blobs = blobs
        self._scratch = scratch
        self._stream = stream
        self._label = label
        self._tables: dict[str, tarfile.TarInfo] = {}
        self._counts: dict[str, int] = {}
        self._written: list[str] = []

    async def read_blobs(self, schema: str, progress: Callable[[int, int], None]) -> None:
        """Read the archive once, from its first member to its last."""
        total = (await asyncio.to_thread(os.fstat, self._stream.fileno())).st_size
        reader = await asyncio.to_thread(TarReader, self._stream, self._label)
        digest, count, first = "", 0, True
        complete: dict[str, Any] = {}
        async for member in reader.members():
            folder, _, name = member.name.partition("/")
            if first:
                self._check_manifest(member.name, await reader.read(member), schema)
            elif folder == "tables":
                self._tables[name.removesuffix(".jsonl")] = member
            elif folder == "blobs":
                digest = await self._read_blob(reader, member, name)
                count += 1
            elif folder == "checksums":
                if (await reader.read(member)).decode("ascii", "replace").split(" ")[0] != digest:
                    self._refuse(f"is damaged: the bytes of {name} are not those that were saved")
            elif member.name == "complete.json":
                complete = _object(await reader.read(member))
            first = False
            progress(member.offset_data + member.size, total)
        if complete.get("blobs") != count or not isinstance(complete.get("tables"), dict):
            self._refuse("is cut short")
        self._counts = complete["tables"]
        progress(total, total)

    def _check_manifest(self, name: str, content: bytes, schema: str) -> None:
        manifest = _object(content) if name == "manifest.json" else {}
        if manifest.get("format") != FORMAT:
            self._refuse("is not a backup that this version can read")
        if manifest.get("schema") != schema:
            self._refuse(
                f"was written by version {manifest.get('version')} (schema {manifest.get('schema')}, here {schema}); "
                "restore it with that version, then start this one on the same data"
            )

    def _refuse(self, what: str) -> NoReturn:
        message = f"{self._label} {what}."
        raise Invalid(message)

    async def _read_blob(self, reader: TarReader, member: tarfile.TarInfo, key: str) -> str:
        there = await self._there(key, member.size)
        handle, name = await asyncio.to_thread(tempfile.mkstemp, dir=self._scratch, prefix="copy-")
        path = Path(name)
        digest = hashlib.sha256()
        try:
            with os.fdopen(handle, "wb") as file:
                async for chunk in reader.chunks(member):
                    await asyncio.to_thread(digest.update, chunk)
                    if not there:
                        await asyncio.to_thread(file.write, chunk)
                await asyncio.to_thread(file.flush)
            if not there:
                self._written.append(key)
                await self._blobs.put_file(key, path, move=True)
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        return digest.hexdigest()

    async def _there(self, key: str, size: int) -> bool:
        """Whether an interrupted restore has brought this blob already: keys are never reused for other bytes."""
        try:
            info = await self._blobs.info(key)
        except ValueError:
            self._refuse("holds a blob under a name that is no key")
        return info is not None and info.size == size

    async def load_rows(self) -> None:
        """All rows in one transaction."""
        known = rows.tables()
        if self._tables.keys() != known.keys() or self._counts.keys() != known.keys():
            self._refuse("does not have the tables of its schema")
        reader = await asyncio.to_thread(TarReader, self._stream, self._label)
        async with self._database.writing() as work:
            await rows.check_empty(work.connection)
            await work.connection.execute(consumer_positions.delete())
            for name, table in known.items():
                count = await rows.load(work.connection, table, reader.lines(self._tables[name]))
                if count != self._counts[name]:
                    self._refuse(f"has lost rows of the table {name}")
            await rows.settle_positions(work.connection)

    async def undo(self) -> None:
        """Take away the blobs that this run has brought."""
        for key in self._written:
            await self._blobs.delete(key)


def _object(content: bytes) -> dict[str, Any]:
    """A JSON object; an empty one when that is not what the bytes are."""
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
