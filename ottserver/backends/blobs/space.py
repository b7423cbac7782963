"""Room on the disks: how much is left, and who may still write when it gets scarce.

Uploads, imports and work ahead of time leave a reserve untouched. The segments that players wait for may use most of
it; the last part is the database's.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ottserver.errors import NoRoom
from ottserver.units import size

if TYPE_CHECKING:
    from pathlib import Path

    from ottserver.backends.blobs import Blobs

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Error numbers of a disk, or of a share of it, that has no room left."""
FRESH_SECONDS = 1.0
"""For how long a measurement is good."""
_KEPT_FROM_PLAYERS = 4
"""One part in so many of the reserve is the database's alone."""


@dataclass(frozen=True, slots=True)
class Room:
    """What a look at the disks found, in bytes."""

    free: int | None
    """On the fullest of them; nothing where the only store says nothing of it."""
    reserve: int

    @property
    def full(self) -> bool:
        """Whether nothing but the reserve is left, or not even that."""
        return self.free is not None and self.free <= self.reserve

    @property
    def spare(self) -> int | None:
        """What can be written before the reserve is touched; nothing where that is unknown."""
        return None if self.free is None else max(0, self.free - self.reserve)

    @property
    def for_players(self) -> bool:
        """Whether a segment that a player waits for may be stored."""
        return self.free is None or self.free > self.reserve // _KEPT_FROM_PLAYERS


def free_in(folder: Path) -> int:
    """Bytes that may still be written below a folder. Blocks; raises `OSError`."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


class Space:
    """The room that the blob store and the data folder share, or each has of its own."""

    def __init__(self, blobs: Blobs, folder: Path, *, reserve_bytes: int) -> None:
        """`folder` holds what is not in `blobs`: the database and uploads that still grow."""
        self._blobs = blobs
        self._folder = folder
        self.reserve_bytes = reserve_bytes
        self._seen = Room(None, reserve_bytes)
        self._seen_at = -FRESH_SECONDS
        self._looking = asyncio.Lock()

    async def look(self) -> Room:
        """The room there is, not older than `FRESH_SECONDS`. A disk that says nothing counts as one with room."""
        async with self._looking:
            if time.monotonic() - self._seen_at >= FRESH_SECONDS:
                found = [await self._blobs.free_bytes(), await asyncio.to_thread(_free, self._folder)]
                known = [free for free in found if free is not None]
                self._seen = Room(min(known, default=None), self.reserve_bytes)
                self._seen_at = time.monotonic()
            return self._seen

    async def check(self, size_bytes: int, *, promised: int = 0) -> None:
        """Raise `NoRoom` when so many more bytes would touch the reserve, or what is `promised` to others."""
        spare = (await self.look()).spare
        if spare is not None and spare < size_bytes + promised:
            raise NoRoom(_sentence(size_bytes, spare, promised))


def _free(folder: Path) -> int | None:
    try:
        return free_in(folder)
    except OSError:
        return None


def _sentence(needed: int, spare: int, promised: int) -> str:
    if not spare:
        return "The server's disk is full; try again when room has been made on it."
    says = f"This file has {size(needed)}, and the server's disk has room for {size(spare)}"
    if promised:
        says = f"{says}, of which uploads that are not finished need {size(min(promised, spare))}"
        return f"{says}; finish or cancel them, or make room on it."
    return f"{says}; make room on it, and try again."
