"""What a server does to itself so that it holds the memory that it needs, and little more."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -2, -3, -8
_EVERY_SECONDS = 20.0
"""Often enough for little to be free, so that nobody waits long for the heap meanwhile."""


def share_one_heap() -> None:
    """Let all threads take from one heap, and leave what they free there until `give_back`.

    By itself glibc has a heap for each of many threads, and each keeps holes of the sizes of the segments that came
    through it; or it maps and unmaps each segment, which doubles what fetching one from a disk costs. Does nothing
    where the C library is not glibc (mallopt(3)). Comes before the first thread.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 25)
        libc.mallopt(_M_TRIM_THRESHOLD, 1 << 24)
        libc.mallopt(_M_TOP_PAD, 1 << 20)


def give_back() -> None:
    """Return the whole pages that are free to the system, wherever they are. Blocks, for some milliseconds at most."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


@asynccontextmanager
async def giving_back() -> AsyncIterator[None]:
    """Do so now and then while the context lasts."""

    async def now_and_then() -> None:
        while True:
            await asyncio.to_thread(give_back)
            await asyncio.sleep(_EVERY_SECONDS)

    task = asyncio.create_task(now_and_then())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def settle() -> None:
    """Leave what the start has made, which lives as long as the process, to itself.

    To look through those 140,000 objects stops the event loop for 50 ms at every full collection of garbage.
    """
    gc.freeze()
