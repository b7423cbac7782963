"""A cache on the local disk over a store at the other end of a network.

Each blob is a file: a line with the digest of what follows, the key, and the bytes. It is written beside its place and
moved there, and believed only if the digest is right, so half a file, whatever left it, is never served; it is removed.
What was asked for again since the hand came by is spared once when room is needed (FIFO with a second chance). After a
restart the files are found again. All work with files is done in threads.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import tempfile
import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ottserver.backends.blobs.layer import Layer
from ottserver.backends.blobs.space import free_in

if TYPE_CHECKING:
    from ottserver.backends.blobs import Blobs

log = logging.getLogger(__name__)

_DIGEST_BYTES = 16
_WRITES_LIMIT = 16
"""Blobs on their way to the disk at once; more are passed over."""
_FILES_LIMIT = 1_000_000
_LARGEST_PART = 16
"""A blob larger than one part in so many of the room is passed over."""
OFF_SECONDS = 600.0
"""For so long nothing is written after the disk has failed."""
_NEW = ".new-"


class DiskCache(Layer):
    """Keeps what is read from the store below in a folder, up to a number of bytes."""

    def __init__(self, below: Blobs, folder: Path, limit_bytes: int, *, leaving: int = 0) -> None:
        """Use `folder`, and leave so many bytes of its disk free."""
        super().__init__(below)
        self._folder = folder
        self._limit = limit_bytes
        self._leaving = leaving
        self.bytes = 0
        self._files: OrderedDict[str, list[int]] = OrderedDict()
        """Name to size, and whether it was asked for since the hand came by; oldest first."""
        self._writes: dict[str, asyncio.Task[None]] = {}
        self._off_until = 0.0
        self._changes = 0
        """How often blobs were replaced or removed."""

    async def open(self) -> None:
        """Find what is there. A folder that cannot be used turns the cache off."""
        try:
            for name, size in await asyncio.to_thread(_found, self._folder):
                self._files[name] = [size, 0]
                self.bytes += size
            await self._make_room(0)
        except OSError as error:
            self._turn_off(error)

    async def close(self) -> None:
        """Finish what is being written."""
        await asyncio.gather(*self._writes.values(), return_exceptions=True)

    async def get(self, key: str) -> bytes:
        """All bytes of the blob, from the disk or from below."""
        name = _name(key)
        file = self._files.get(name)
        if file is not None:
            data = await asyncio.to_thread(_read, self._folder / name, key)
            if data is not None:
                file[1] = 1
                return data
            await self._forget(name)
        changes = self._changes
        data = await self._below.get(key)
        if changes == self._changes:  # else these may be bytes that were replaced meanwhile
            self._keep(name, key, data)
        return data

    async def put(self, key: str, data: bytes) -> None:
        """Write the blob below; what was kept of it is forgotten."""
        await self._below.put(key, data)
        self._changes += 1
        await self._forget(_name(key))

    async def delete(self, key: str) -> None:
        """Remove the blob, here too."""
        await self._below.delete(key)
        self._changes += 1
        await self._forget(_name(key))

    async def delete_folder(self, prefix: str) -> None:
        """Remove every blob below the folder, here too."""
        names = [_name(info.key) async for info in self._below.list(prefix)]
        await self._below.delete_folder(prefix)
        self._changes += 1
        for name in names:
            await self._forget(name)

    def _keep(self, name: str, key: str, data: bytes) -> None:
        size = len(data) + len(key) + 2 * _DIGEST_BYTES + 2
        if name in self._writes or len(self._writes) >= _WRITES_LIMIT or size * _LARGEST_PART > self._limit:
            return
        if time.monotonic() < self._off_until:
            return
        write = self._writes[name] = asyncio.create_task(self._write(name, key, data, size))
        write.add_done_callback(lambda _: self._writes.pop(name, None))

    async def _write(self, name: str, key: str, data: bytes, size: int) -> None:
        try:
            await self._make_room(size)
            if not await asyncio.to_thread(_write, self._folder / name, key, data, self._leaving + size):
                log.warning("the cache on disk leaves the room that is left to others: nothing is written for a while")
                self._off_until = time.monotonic() + OFF_SECONDS
                return
        except OSError as error:
            self._turn_off(error)
            return
        before = self._files.pop(name, None)
        self.bytes += size - (before[0] if before else 0)
        self._files[name] = [size, 0]

    async def _make_room(self, size: int) -> None:
        gone: list[Path] = []
        while self._files and (self.bytes + size > self._limit or len(self._files) >= _FILES_LIMIT):
            name, (weight, asked) = self._files.popitem(last=False)
            if asked:
                self._files[name] = [weight, 0]
                continue
            self.bytes -= weight
            gone.append(self._folder / name)
        if gone:
            await asyncio.to_thread(_remove, gone)

    async def _forget(self, name: str) -> None:
        write = self._writes.get(name)
        if write is not None:
            await asyncio.wait([write])
        file = self._files.pop(name, None)
        if file is not None:
            self.bytes -= file[0]
            await asyncio.to_thread(_remove, [self._folder / name])

    def _turn_off(self, error: OSError) -> None:
        log.error("the cache on disk (%s) is off for %.0f s: %s", self._folder, OFF_SECONDS, error.strerror or error)
        self._off_until = time.monotonic() + OFF_SECONDS


def _name(key: str) -> str:
    digest = hashlib.blake2b(key.encode(), digest_size=_DIGEST_BYTES).hexdigest()
    return f"{digest[:2]}/{digest[2:]}"


def _digest(rest: bytes, data: bytes) -> bytes:
    digest = hashlib.blake2b(rest, digest_size=_DIGEST_BYTES)
    digest.update(data)
    return digest.hexdigest().encode()


def _found(folder: Path) -> list[tuple[str, int]]:
    """Names and sizes of the files there, oldest first; what a killed process left half written is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for inner in os.scandir(folder):
        if not inner.is_dir(follow_symlinks=False):
            continue
        for entry in os.scandir(inner.path):
            if entry.name.startswith(_NEW):
                Path(entry.path).unlink(missing_ok=True)
                continue
            about = entry.stat(follow_symlinks=False)
            files.append((about.st_mtime, f"{inner.name}/{entry.name}", about.st_size))
    return [(name, size) for _, name, size in sorted(files)]


def _read(path: Path, key: str) -> bytes | None:
    """The blob's bytes; nothing where the file is gone, or not the whole of what was written."""
    try:
        text = path.read_bytes()
    except OSError:
        return None
    said = key.encode() + b"\n"
    at = 2 * _DIGEST_BYTES + 1
    if text[at : at + len(said)] != said:
        return None
    data = text[at + len(said) :]
    return data if text[: at - 1] == _digest(said, data) else None


def _write(path: Path, key: str, data: bytes, least_free: int) -> bool:
    """Write a file where that leaves enough room. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if free_in(path.parent) < least_free:
        return False
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=_NEW)
    try:
        said = key.encode() + b"\n"
        with os.fdopen(handle, "wb") as file:
            file.write(_digest(said, data) + b"\n" + said)
            file.write(data)
        Path(scratch).rename(path)
    except BaseException:
        with suppress(OSError):
            Path(scratch).unlink()
        raise
    return True


def _remove(paths: list[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()
