"""The staging folder: files that are still growing.

The size of a file is the offset of its upload, so what is said after a crash is what is really there. A request with a
checksum writes behind a marker file that holds the offset it began at: as long as the marker exists, what lies behind
that offset does not count. Whoever writes holds a lock on the file (flock), which the system releases when a process
dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from ottserver.backends.blobs.space import FULL
from ottserver.errors import Conflict, Gone, NoRoom
from ottserver.ids import is_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator
    from hashlib import _Hash
    from pathlib import Path

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 4
_MARKER = ".unverified"
_NO_ROOM = (*FULL, errno.EFBIG)


@contextmanager
def _finding_room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise _no_room() from error


def _no_room() -> NoRoom:
    return NoRoom("There is no room left on the server's disk for uploads; what has arrived is kept.")


class StagedFile:
    """One upload's file, open and locked. Its methods block: `Staging` runs them in its threads."""

    def __init__(self, path: Path, marker: Path, reserve: int) -> None:
        """Open and lock the file, and forget what an interrupted request with a checksum left behind it.

        Nothing is written that would leave less than `reserve` bytes of room on the disk.

        Raises `Conflict` while somebody else holds it and `FileNotFoundError` when it is not there.
        """
        self._marker = marker
        self._reserve = reserve
        self._handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.offset = _verified_offset(path, marker)
            os.ftruncate(self._handle, self.offset)
            marker.unlink(missing_ok=True)
        except BlockingIOError as error:
            os.close(self._handle)
            message = "Another request is writing to this upload at the moment."
            raise Conflict(message) from error
        except BaseException:
            os.close(self._handle)
            raise

    def mark(self) -> None:
        """Let nothing count that is written from here on, until `accept`. Raises `NoRoom` when the disk is full."""
        with _finding_room():
            self._marker.write_text(str(self.offset))

    def accept(self) -> None:
        """Let all that was written count."""
        self._marker.unlink(missing_ok=True)

    def roll_back(self, offset: int) -> None:
        """Forget what lies behind `offset`."""
        os.ftruncate(self._handle, offset)
        self.offset = offset
        self.accept()

    def write(self, data: bytes, digest: _Hash | None) -> None:
        """Append the bytes. Raises `Gone` when the upload was removed meanwhile and `NoRoom` when the disk is full."""
        if os.fstat(self._handle).st_nlink == 0:
            message = "The upload was removed while it was being written to."
            raise Gone(message)
        status = os.fstatvfs(self._handle)
        if status.f_bavail * status.f_frsize - len(data) < self._reserve:
            raise _no_room()
        rest = memoryview(data)
        with _finding_room():
            while rest:
                written = os.pwrite(self._handle, rest, self.offset)
                self.offset += written
                rest = rest[written:]
        if digest is not None:
            digest.update(data)

    def sync(self) -> None:
        """Wait until the disk has it."""
        os.fsync(self._handle)

    def close(self) -> None:
        """Close the file, which unlocks it."""
        os.close(self._handle)


class Staging:
    """The folder and the few threads that work in it."""

    def __init__(self, folder: Path, *, reserve_bytes: int = 0) -> None:
        """Prepare to work in `folder`; `open` makes it. So much room on its disk is left to others."""
        self._folder = folder
        self._reserve = reserve_bytes
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="staging")

    async def open(self) -> None:
        """Make the folder when it is missing."""
        await self.run(lambda: self._folder.mkdir(parents=True, exist_ok=True))

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def path(self, upload_id: str) -> Path:
        """Where the upload's bytes are."""
        return self._folder / upload_id

    def _marker(self, upload_id: str) -> Path:
        return self._folder / f"{upload_id}{_MARKER}"

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function in a thread. A cancelled caller waits for it, so that no file is closed under its hands."""
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._threads, lambda: function(*args, **kwargs))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            raise

    async def create(self, upload_id: str) -> None:
        """Begin with an empty file. Raises `NoRoom` when the disk is full."""

        def touch() -> None:
            with _finding_room():
                self.path(upload_id).touch(mode=0o600, exist_ok=False)

        await self.run(touch)

    async def offset(self, upload_id: str) -> int | None:
        """How many bytes count, or nothing when there is no file."""
        try:
            return await self.run(_verified_offset, self.path(upload_id), self._marker(upload_id))
        except FileNotFoundError:
            return None

    async def present(self, upload_ids: Iterable[str]) -> int:
        """How many bytes of these uploads are there, taken together."""
        paths = [self.path(upload_id) for upload_id in upload_ids]

        def look() -> int:
            size = 0
            for path in paths:
                with contextlib.suppress(FileNotFoundError):
                    size += path.stat().st_size
            return size

        return await self.run(look)

    async def exists(self, upload_id: str) -> bool:
        """Whether the file is there."""
        return await self.run(self.path(upload_id).exists)

    @asynccontextmanager
    async def holding(self, upload_id: str) -> AsyncIterator[StagedFile]:
        """The file, open and locked. Raises `Conflict` while it is locked and `Gone` when it is not there."""
        try:
            file = await self._opened(upload_id)
        except FileNotFoundError as error:
            message = "The bytes of this upload are gone; begin a new one."
            raise Gone(message) from error
        try:
            yield file
        finally:
            await self.run(file.close)

    async def _opened(self, upload_id: str) -> StagedFile:
        opening = asyncio.ensure_future(
            self.run(StagedFile, self.path(upload_id), self._marker(upload_id), self._reserve)
        )
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            await asyncio.wait([opening])
            if opening.exception() is None:
                opening.result().close()
            raise

    async def remove(self, upload_id: str) -> None:
        """Remove the file; whoever is writing to it notices."""

        def unlink() -> None:
            self.path(upload_id).unlink(missing_ok=True)
            self._marker(upload_id).unlink(missing_ok=True)

        await self.run(unlink)

    async def untouched(self, seconds: float) -> list[str]:
        """The uploads whose files nobody has written to for so long."""

        def look() -> list[str]:
            before = time.time() - seconds
            found = set()
            for entry in os.scandir(self._folder):
                name = entry.name.removesuffix(_MARKER)
                with contextlib.suppress(FileNotFoundError):
                    if is_id(name) and entry.stat().st_mtime < before:
                        found.add(name)
            return sorted(found)

        return await self.run(look)


def _verified_offset(path: Path, marker: Path) -> int:
    try:
        began = marker.read_text()
    except FileNotFoundError:
        began = ""
    size = path.stat().st_size
    # A marker is empty when the process died between making and filling it: nothing had been written behind it yet.
    return min(int(began), size) if began else size
