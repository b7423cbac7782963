"""Blobs through obstore (the Rust object_store): a folder, this process's memory, or a bucket that speaks S3."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import tempfile
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, MemoryStore, S3Store

from ottserver.backends.blobs import BlobInfo, BlobMissing, BlobsDown, BlobsFull
from ottserver.backends.blobs.files import INCOMING, sweep, take_file
from ottserver.backends.blobs.space import FULL, free_in
from ottserver.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from obstore.store import ClientConfig, S3Config

log = logging.getLogger(__name__)

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_KEY_LIMIT = 512
_CHUNK = 8 * 1024 * 1024
_S3_SECONDS, _S3_CONNECT_SECONDS = timedelta(seconds=30), timedelta(seconds=3)
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
# The driver has no error of its own for a full disk: the number is in its sentence.


def checked_key(key: str) -> str:
    """The key, if it is one; raises `ValueError` for anything that could leave the store."""
    if len(key) > _KEY_LIMIT or not _KEY.fullmatch(key):
        message = f"not a blob key: {key[:80]!r}"
        raise ValueError(message)
    return key


@contextmanager
def _reaching(key: str) -> Iterator[None]:
    """Turn what the driver raises into what the `Blobs` protocol names."""
    try:
        yield
    except FileNotFoundError as error:
        raise BlobMissing(key) from error
    except (BaseError, OSError) as error:
        if _is_full(error):
            raise BlobsFull from error
        log.warning("the blob store cannot be used: %s", error)
        raise BlobsDown from error


def _is_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in FULL
    return any(int(number) in FULL for number in _OS_ERROR.findall(str(error)))


class ObjectStoreBlobs:
    """Implements `ottserver.backends.blobs.Blobs`; `folder` is set where blobs are plain files."""

    def __init__(self, store: LocalStore | MemoryStore | S3Store, folder: Path | None, scratch: Path) -> None:
        """Work on `store`; `scratch` takes the copies that `local` hands out where there is no folder."""
        self._store = store
        self._folder = folder
        self._scratch = scratch
        self._copies: dict[str, tuple[asyncio.Task[Path], int]] = {}

    async def get(self, key: str) -> bytes:
        """All bytes of the blob; raises `BlobMissing`."""
        checked_key(key)
        with _reaching(key):
            result = await obstore.get_async(self._store, key)
            data = bytes(await result.bytes_async())
        if len(data) != result.meta["size"]:
            log.warning("the blob store gave %d of the %d bytes of %s", len(data), result.meta["size"], key)
            raise BlobsDown
        return data

    async def get_range(self, key: str, start: int, length: int) -> bytes:
        """Up to `length` bytes from `start`; raises `BlobMissing`."""
        info = await self.info(key)
        if info is None:
            raise BlobMissing(key)
        end = min(start + length, info.size)
        if start < 0 or start >= end:
            return b""
        with _reaching(key):
            return bytes(await obstore.get_range_async(self._store, key, start=start, end=end))

    async def info(self, key: str) -> BlobInfo | None:
        """Size of the blob, or nothing."""
        checked_key(key)
        try:
            with _reaching(key):
                meta = await obstore.head_async(self._store, key)
        except BlobMissing:
            return None
        return BlobInfo(key, meta["size"])

    async def put(self, key: str, data: bytes) -> None:
        """Write the blob, replacing one that is there."""
        checked_key(key)
        with _reaching(key):
            await obstore.put_async(self._store, key, data, use_multipart=False)

    async def create(self, key: str, data: bytes) -> bool:
        """Write the blob unless there is one."""
        checked_key(key)
        with _reaching(key):
            try:
                await obstore.put_async(self._store, key, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
        return True

    async def put_file(self, key: str, path: Path, *, move: bool = False, leaving: int = 0) -> None:
        """Take a local file's bytes under `key`. Raises `FileNotFoundError` when there is no such file."""
        checked_key(key)
        if self._folder is not None:
            try:
                await asyncio.to_thread(take_file, path, self._folder, key, move=move, leaving=leaving)
            except OSError as error:
                if _is_full(error):
                    raise BlobsFull from error
                raise
            return
        await asyncio.to_thread(path.stat)
        if await self.info(key) is None:
            with _reaching(key):
                await obstore.put_async(self._store, key, path)
        if move:
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        """Every blob below the folder; files there whose names are no keys are none of ours."""
        checked_key(prefix)
        with _reaching(prefix):
            async for batch in obstore.list(self._store, prefix=prefix, chunk_size=1000):
                for meta in batch:
                    if _KEY.fullmatch(meta["path"]):
                        yield BlobInfo(meta["path"], meta["size"])

    async def delete(self, key: str) -> None:
        """Remove the blob."""
        checked_key(key)
        with suppress(BlobMissing), _reaching(key):
            await obstore.delete_async(self._store, key)

    async def delete_folder(self, prefix: str) -> None:
        """Remove every blob below the folder."""
        checked_key(prefix)
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder / prefix, ignore_errors=True)
            return
        keys = [blob.key async for blob in self.list(prefix)]
        for key in keys:
            await self.delete(key)

    @asynccontextmanager
    async def local(self, key: str) -> AsyncIterator[Path]:
        """A local file with the blob's bytes; raises `BlobMissing`."""
        if self._folder is not None:
            if await self.info(key) is None:
                raise BlobMissing(key)
            yield self._folder / key
            return
        copy, users = self._copies.get(key, (None, 0))
        if copy is None:
            copy = asyncio.create_task(self._copy(key))
        self._copies[key] = (copy, users + 1)
        try:
            yield await asyncio.shield(copy)
        finally:
            copy, users = self._copies[key]
            if users > 1:
                self._copies[key] = (copy, users - 1)
            else:
                del self._copies[key]
                await _discard(copy)

    async def _copy(self, key: str) -> Path:
        info = await self.info(key)
        if info is None:
            raise BlobMissing(key)
        file, path = await asyncio.to_thread(_scratch_file, self._scratch)
        try:
            for start in range(0, info.size, _CHUNK):
                data = await self.get_range(key, start, _CHUNK)
                await asyncio.to_thread(file.write, data)
            await asyncio.to_thread(file.close)
        except OSError as error:
            await asyncio.to_thread(_give_up, file, path)
            if _is_full(error):
                raise BlobsFull from error
            raise
        except BaseException:
            await asyncio.to_thread(_give_up, file, path)
            raise
        return path

    async def free_bytes(self) -> int | None:
        """Room on the folder's file system; nothing for memory."""
        if self._folder is None:
            return None
        with _reaching(""):
            return await asyncio.to_thread(free_in, self._folder)

    async def check(self) -> None:
        """Raise when the store cannot be read and written; a full one can be read."""
        with suppress(BlobsFull):
            await self.put("health/probe", b"ok")
            await self.get("health/probe")
            return
        await self.info("health/probe")


async def _discard(copy: asyncio.Task[Path]) -> None:
    if not copy.done():
        copy.cancel()
    await asyncio.wait([copy])
    if not copy.cancelled() and copy.exception() is None:
        await asyncio.to_thread(copy.result().unlink, missing_ok=True)


def _scratch_file(folder: Path) -> tuple[IO[bytes], Path]:
    handle, name = tempfile.mkstemp(dir=folder, prefix="copy-")
    return os.fdopen(handle, "wb"), Path(name)


def _give_up(file: IO[bytes], path: Path) -> None:
    path.unlink(missing_ok=True)
    with suppress(OSError):  # the disk may be full, which is why it is given up
        file.close()


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"blobs_url: the folder {folder} cannot be made: {error.strerror}"
        raise SettingsError(message) from error


def _bucket(url: str) -> S3Store:
    """The bucket of `s3://bucket/prefix?endpoint=…&region=…`; keys come from where AWS's own tools have them."""
    parts = urlsplit(url)
    given = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    endpoint, region = given.pop("endpoint", ""), given.pop("region", "us-east-1")
    if not parts.hostname or given:
        message = f"blobs_url: {url!r} names no bucket; use s3://bucket/prefix?endpoint=https://host&region=name"
        raise SettingsError(message)
    # Another try is the business of `SteadyBlobs`, which knows how long a player waits.
    options: ClientConfig = {"timeout": _S3_SECONDS, "connect_timeout": _S3_CONNECT_SECONDS, "allow_http": True}
    config: S3Config = {"region": region}
    if endpoint:
        config["endpoint"], config["virtual_hosted_style_request"] = endpoint, False
    try:
        return S3Store(
            parts.hostname,
            prefix=parts.path.strip("/") or None,
            config=config,
            client_options=options,
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=1)},
        )
    except BaseError as error:
        message = f"blobs_url: {url!r} cannot be used: {error}"
        raise SettingsError(message) from error


@asynccontextmanager
async def open_object_store(url: str, scratch: Path) -> AsyncIterator[ObjectStoreBlobs]:
    """Open `file:///folder` (made when missing), `memory://` or `s3://bucket/prefix`. Raises `SettingsError`."""
    await asyncio.to_thread(_prepare, scratch)
    await asyncio.to_thread(sweep, scratch)
    parts = urlsplit(url)
    if parts.scheme == "memory":
        yield ObjectStoreBlobs(MemoryStore(), None, scratch)
        return
    if parts.scheme == "s3":
        yield ObjectStoreBlobs(_bucket(url), None, scratch)
        return
    folder = Path(unquote(parts.path))
    if parts.netloc or not folder.is_absolute():
        message = f"blobs_url: {url!r} names no folder; use file:///absolute/folder"
        raise SettingsError(message)
    await asyncio.to_thread(_prepare, folder)
    await asyncio.to_thread(sweep, folder / INCOMING)
    yield ObjectStoreBlobs(LocalStore(prefix=folder), folder, scratch)
