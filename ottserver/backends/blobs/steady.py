"""Reading from a store at the other end of a network: a few more tries, and an end to waiting."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ottserver.backends.blobs import BlobsDown
from ottserver.backends.blobs.layer import Layer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ottserver.backends.blobs import BlobInfo, Blobs

T = TypeVar("T")
log = logging.getLogger(__name__)

TRIES = 3
TRY_SECONDS = 5.0
"""How long one try may take, a slow trickle of bytes included."""
DEADLINE_SECONDS = 12.0
"""How long all tries together may take."""
_FIRST_PAUSE_SECONDS = 0.2


class SteadyBlobs(Layer):
    """Tries reads again with growing, uneven pauses. Writes are tried again by whoever wants them done."""

    def __init__(
        self,
        below: Blobs,
        *,
        tries: int = TRIES,
        try_seconds: float = TRY_SECONDS,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        """Read from `below`, so many times, so long each, and so long in all."""
        super().__init__(below)
        self._tries = tries
        self._try_seconds = try_seconds
        self._deadline_seconds = deadline_seconds

    async def get(self, key: str) -> bytes:
        """All bytes of the blob; raises `BlobMissing`, and `BlobsDown` after the last try."""
        return await self._read(partial(self._below.get, key))

    async def get_range(self, key: str, start: int, length: int) -> bytes:
        """Up to `length` bytes from `start`; raises as `get` does."""
        return await self._read(partial(self._below.get_range, key, start, length))

    async def info(self, key: str) -> BlobInfo | None:
        """Size of the blob, or nothing; raises `BlobsDown` after the last try."""
        return await self._read(partial(self._below.info, key))

    async def _read(self, read: Callable[[], Awaitable[T]]) -> T:
        begun = time.monotonic()
        pause = _FIRST_PAUSE_SECONDS
        for left in reversed(range(self._tries)):
            until = begun + self._deadline_seconds - time.monotonic()
            if until <= 0:
                break
            try:
                async with asyncio.timeout(min(self._try_seconds, until)):
                    return await read()
            except TimeoutError:
                log.warning("the blob store has not answered for %.0f s", min(self._try_seconds, until))
                if not left:
                    raise BlobsDown from None
            except BlobsDown:
                if not left:
                    raise
            # Uneven, so that all who were let down together do not come again together.
            waits = pause * random.uniform(0.5, 1.5)  # noqa: S311 - nothing is kept secret by it
            if time.monotonic() + waits - begun >= self._deadline_seconds:
                break
            await asyncio.sleep(waits)
            pause *= 4
        raise BlobsDown
