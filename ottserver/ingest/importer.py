"""Imports: files that are on this machine's disks become sources, beside a running server or without one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ottserver.errors import Conflict, Invalid
from ottserver.ingest.hashing import sha256_of
from ottserver.ingest.sources import SourceKeeper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ottserver.backends.blobs import Blobs
    from ottserver.backends.database import Database


@dataclass(frozen=True, slots=True)
class ImportedSource:
    """A file that is a source now."""

    source_id: str
    sha256: str
    duplicate: bool
    """Whether the same bytes had been there before."""


class Importer:
    """Takes files into the blob store, linked rather than copied where the system allows; the originals stay."""

    def __init__(self, *, database: Database, blobs: Blobs, reserve_bytes: int = 0) -> None:
        """Import into these two, which a running server may have open as well; a copy leaves so much room."""
        self._blobs = blobs
        self._reserve_bytes = reserve_bytes
        self._keeper = SourceKeeper(database=database)

    async def import_file(self, path: Path, progressed: Callable[[int, int], None] | None = None) -> ImportedSource:
        """Make the file a source; `progressed` is told bytes hashed and bytes there are.

        Raises `Invalid` when it is empty, no file or unreadable, `Conflict` when it changes meanwhile, and `NoRoom`.
        """
        try:
            before = await asyncio.to_thread(_fingerprint, path)
            sha256, size_bytes = await sha256_of(path, progressed)
            kept = await self._keeper.keep(sha256, size_bytes, lambda key: self._put(key, path, before))
        except OSError as error:
            message = f"{path} cannot be read: {error.strerror or error}."
            raise Invalid(message) from error
        return ImportedSource(kept.source.id, sha256, kept.duplicate)

    async def _put(self, key: str, path: Path, before: tuple[int, int]) -> None:
        there = await self._blobs.info(key) is not None
        if not there:
            await self._blobs.put_file(key, path, leaving=self._reserve_bytes)
        if await asyncio.to_thread(_fingerprint, path) != before:
            if not there:
                await self._blobs.delete(key)
            message = f"{path} was changed while it was imported; import it again when it is complete."
            raise Conflict(message)


def _fingerprint(path: Path) -> tuple[int, int]:
    """What differs when somebody has written to the file. Raises `Invalid` when there is nothing to import."""
    if not path.is_file():
        message = f"{path} is not a file."
        raise Invalid(message)
    status = path.stat()
    if status.st_size == 0:
        message = f"{path} is empty."
        raise Invalid(message)
    return status.st_size, status.st_mtime_ns
