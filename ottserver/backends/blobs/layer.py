"""A store over another one that changes nothing: what layers such as retries and a cache on disk begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from ottserver.backends.blobs import BlobInfo, Blobs


class Layer:
    """Implements `ottserver.backends.blobs.Blobs` by asking the store below for everything."""

    def __init__(self, below: Blobs) -> None:
        """Lie over `below`."""
        self._below = below

    async def get(self, key: str) -> bytes:
        """All bytes of the blob."""
        return await self._below.get(key)

    async def get_range(self, key: str, start: int, length: int) -> bytes:
        """Up to `length` bytes from `start`."""
        return await self._below.get_range(key, start, length)

    async def info(self, key: str) -> BlobInfo | None:
        """Size of the blob, or nothing."""
        return await self._below.info(key)

    async def put(self, key: str, data: bytes) -> None:
        """Write the blob, replacing one that is there."""
        await self._below.put(key, data)

    async def create(self, key: str, data: bytes) -> bool:
        """Write the blob unless there is one."""
        return await self._below.create(key, data)

    async def put_file(self, key: str, path: Path, *, move: bool = False, leaving: int = 0) -> None:
        """Take a local file's bytes under `key`."""
        await self._below.put_file(key, path, move=move, leaving=leaving)

    def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        """Every blob below the folder."""
        return self._below.list(prefix)

    async def delete(self, key: str) -> None:
        """Remove the blob."""
        await self._below.delete(key)

    async def delete_folder(self, prefix: str) -> None:
        """Remove every blob below the folder."""
        await self._below.delete_folder(prefix)

    def local(self, key: str) -> AbstractAsyncContextManager[Path]:
        """A local file that holds the blob's bytes."""
        return self._below.local(key)

    async def free_bytes(self) -> int | None:
        """How much more the store takes."""
        return await self._below.free_bytes()

    async def check(self) -> None:
        """Raise when the store cannot be read and written."""
        await self._below.check()
