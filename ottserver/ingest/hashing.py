"""The hash that a source is known by."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHUNK = 4 * 1024 * 1024


async def sha256_of(path: Path, progressed: Callable[[int, int], None] | None = None) -> tuple[str, int]:
    """SHA-256 of a file as lower-case hexadecimal digits, and how many bytes it has. Raises `OSError`.

    `progressed` is told, on the event loop, how many bytes are done and how many there are.
    """
    digest = hashlib.sha256()
    done = 0

    def step(offset: int) -> int:
        # Opened anew for every chunk, so that a cancelled caller leaves no open file to a thread that still reads.
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(CHUNK)
        digest.update(data)
        return len(data)

    total = (await asyncio.to_thread(path.stat)).st_size
    while read := await asyncio.to_thread(step, done):
        done += read
        if progressed is not None:
            progressed(done, max(done, total))
    return digest.hexdigest(), done
