"""Members of a tar file, written and read in chunks off the event loop."""

from __future__ import annotations

import asyncio
import hashlib
import tarfile
from typing import IO, TYPE_CHECKING

from ottserver.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CHUNK = 8 * 1024 * 1024
"""Bytes in memory at a time."""


class TarWriter:
    """Appends members to an open file (POSIX.1-2001, so that sizes have no limit)."""

    def __init__(self, file: IO[bytes], mtime: float) -> None:
        """All members get `mtime`, in seconds since the epoch."""
        self._file = file
        self._mtime = mtime

    async def add(self, name: str, size: int, chunks: AsyncIterator[bytes]) -> str:
        """Write one member of `size` bytes; its SHA-256. Whatever `chunks` raises leaves no trace of the member."""
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = size, self._mtime, 0o600
        start = await asyncio.to_thread(self._file.tell)
        digest = hashlib.sha256()
        try:
            await asyncio.to_thread(self._file.write, info.tobuf(tarfile.PAX_FORMAT))
            async for chunk in chunks:
                await asyncio.to_thread(self._write, chunk, digest)
        except Exception:
            await asyncio.to_thread(self._file.seek, start)
            await asyncio.to_thread(self._file.truncate)
            raise
        await asyncio.to_thread(self._file.write, bytes(-size % tarfile.BLOCKSIZE))
        return digest.hexdigest()

    def _write(self, chunk: bytes, digest: hashlib._Hash) -> None:
        digest.update(chunk)
        self._file.write(chunk)

    async def add_bytes(self, name: str, data: bytes) -> None:
        """Write a small member."""

        async def once() -> AsyncIterator[bytes]:
            yield data

        await self.add(name, len(data), once())

    async def add_file(self, name: str, path: Path) -> None:
        """Write a local file as a member."""
        size = (await asyncio.to_thread(path.stat)).st_size
        await self.add(name, size, file_chunks(path))

    async def finish(self) -> None:
        """Write the two empty blocks that end an archive."""
        await asyncio.to_thread(self._file.write, bytes(2 * tarfile.BLOCKSIZE))


async def file_chunks(path: Path) -> AsyncIterator[bytes]:
    """The bytes of a local file."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
    finally:
        await asyncio.to_thread(file.close)


class TarReader:
    """The members of an archive, in order. Raises `Invalid` where it is damaged or cut short."""

    def __init__(self, file: IO[bytes], label: str) -> None:
        """Read from an open file that errors call `label`. Blocks; raises `Invalid` when it is no archive."""
        self._file = file
        self._label = label
        try:
            self._tar = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 - it only borrows the file, which its owner closes
        except tarfile.TarError as error:
            message = f"{label} is not a backup of ottserver."
            raise Invalid(message) from error

    async def members(self) -> AsyncIterator[tarfile.TarInfo]:
        """Every regular file, until the archive ends."""
        try:
            while (info := await asyncio.to_thread(self._tar.next)) is not None:
                vars(self._tar)["members"] = []  # else it remembers each of a million segments
                if info.isreg():
                    yield info
        except tarfile.TarError as error:
            raise self._damaged() from error

    async def chunks(self, info: tarfile.TarInfo) -> AsyncIterator[bytes]:
        """The bytes of a member."""
        left = info.size
        position = info.offset_data
        while left > 0:
            chunk = await asyncio.to_thread(self._read, position, min(CHUNK, left))
            if not chunk:
                raise self._damaged()
            left -= len(chunk)
            position += len(chunk)
            yield chunk

    async def read(self, info: tarfile.TarInfo, limit: int = 1_000_000) -> bytes:
        """All bytes of a small member."""
        if info.size > limit:
            raise self._damaged()
        return b"".join([chunk async for chunk in self.chunks(info)])

    async def lines(self, info: tarfile.TarInfo) -> AsyncIterator[bytes]:
        """The lines of a member."""
        rest = b""
        async for chunk in self.chunks(info):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line
        if rest:
            raise self._damaged()

    def _read(self, position: int, size: int) -> bytes:
        self._file.seek(position)
        return self._file.read(size)

    def _damaged(self) -> Invalid:
        return Invalid(f"{self._label} is damaged or cut short.")
