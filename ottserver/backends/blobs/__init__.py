"""Blobs: immutable bytes under relative keys.

Keys are relative, made of `/`-separated parts of ASCII letters, digits, `.`, `_` and `-`. Writes are atomic: a reader
sees a whole blob or none. `file://` keeps them below a folder, `memory://` in this process, `s3://` in a bucket at the
other end of a network: its reads are tried again (`steady`), and what was read is kept on the local disk (`disk`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from ottserver.errors import Busy, NoRoom, SettingsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """What is known of a blob without reading it."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class DiskRoom:
    """Where blobs of a remote store are kept, how many bytes of them, and how much of the disk is left to others."""

    folder: Path
    limit_bytes: int
    leaving: int


class BlobMissing(Exception):
    """There is no blob under that key."""


class BlobsDown(Busy):
    """The store cannot be reached, read or written at the moment."""

    def __init__(self) -> None:
        """The sentence is the same whatever the store says, which is for the log."""
        super().__init__("The media store cannot be reached at the moment; try again shortly.", retry_after=5.0)


class BlobsFull(NoRoom):
    """The store took no bytes because it has no room; what is there can be read."""

    def __init__(self) -> None:
        """The sentence is the same whatever the store says, which is for the log."""
        super().__init__("The server's disk is full; try again when room has been made on it.")


class Blobs(Protocol):
    """A store of immutable bytes.

    Any call may raise `BlobsDown`, and `ValueError` for what is no key. One that writes raises `BlobsFull` where there
    is no room, and leaves nothing half written.
    """

    async def get(self, key: str) -> bytes:
        """All bytes of the blob; raises `BlobMissing`."""
        ...

    async def get_range(self, key: str, start: int, length: int) -> bytes:
        """Up to `length` bytes from offset `start`, none beyond the end; raises `BlobMissing`."""
        ...

    async def info(self, key: str) -> BlobInfo | None:
        """Size of the blob, or nothing when there is none."""
        ...

    async def put(self, key: str, data: bytes) -> None:
        """Write the blob, replacing one that is there."""
        ...

    async def create(self, key: str, data: bytes) -> bool:
        """Write the blob unless there is one already: the first writer wins. Whether this call wrote it."""
        ...

    async def put_file(self, key: str, path: Path, *, move: bool = False, leaving: int = 0) -> None:
        """Take a local file's bytes under `key`: linked or reflinked where the system allows, else copied.

        With `move` the caller gives the file up. A blob that is there already is left as it is. A copy that would leave
        less than `leaving` bytes of room is not begun.
        """
        ...

    def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        """Every blob below the folder `prefix` (no trailing slash), in no particular order."""
        ...

    async def delete(self, key: str) -> None:
        """Remove the blob; nothing happens when there is none."""
        ...

    async def delete_folder(self, prefix: str) -> None:
        """Remove every blob below the folder `prefix`."""
        ...

    def local(self, key: str) -> AbstractAsyncContextManager[Path]:
        """A local file that holds the blob's bytes for as long as the context lasts; raises `BlobMissing`.

        Where the store is a folder this is the stored file itself; elsewhere it is a scratch copy. Never write to it.
        """
        ...

    async def free_bytes(self) -> int | None:
        """How much more the store takes, or nothing where it has no end or does not say."""
        ...

    async def check(self) -> None:
        """Raise when the store cannot be read and written. A full one can: what is in it is served."""
        ...


def open_blobs(url: str, scratch: Path, cache: DiskRoom | None = None) -> AbstractAsyncContextManager[Blobs]:
    """The store that `url` names; `scratch` is a local folder for copies in transit. Raises `SettingsError`.

    `cache` is where blobs of a store that is not on this machine may be kept.
    """
    scheme = urlsplit(url).scheme
    if scheme in ("file", "memory"):
        from ottserver.backends.blobs.objectstore import open_object_store  # noqa: PLC0415 - only the chosen driver is loaded

        return open_object_store(url, scratch)
    if scheme == "s3":
        from ottserver.backends.blobs.remote import open_remote  # noqa: PLC0415 - only the chosen driver is loaded

        return open_remote(url, scratch, cache)
    message = (
        f"blobs_url: no blob store is known for the scheme {scheme!r}; use file:///folder, s3://bucket or memory://"
    )
    raise SettingsError(message)
