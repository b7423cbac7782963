"""A store at the other end of a network, with more tries for reading and a cache on the local disk over it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ottserver.backends.blobs.disk import DiskCache
from ottserver.backends.blobs.objectstore import open_object_store
from ottserver.backends.blobs.steady import SteadyBlobs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ottserver.backends.blobs import Blobs, DiskRoom


@asynccontextmanager
async def open_remote(url: str, scratch: Path, cache: DiskRoom | None) -> AsyncIterator[Blobs]:
    """Open the store; with `cache` of no bytes, or none, nothing is kept. Raises `SettingsError`."""
    async with open_object_store(url, scratch) as store:
        steady = SteadyBlobs(store)
        if cache is None or not cache.limit_bytes:
            yield steady
            return
        kept = DiskCache(steady, cache.folder, cache.limit_bytes, leaving=cache.leaving)
        await kept.open()
        try:
            yield kept
        finally:
            await kept.close()
