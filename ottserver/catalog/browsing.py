"""What viewers do with videos: look at one, browse by genre, start from a home page that says why each row is there."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ottserver.backends.blobs import BlobMissing
from ottserver.catalog import store
from ottserver.catalog.models import slug
from ottserver.catalog.shelves import ROW_ITEMS, Shelves
from ottserver.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ottserver.backends.blobs import Blobs
    from ottserver.backends.database import Database
    from ottserver.catalog.models import Category, Video
    from ottserver.identity import Principal

ARTWORK_CACHE_BYTES = 32 * 1024 * 1024
_FOLDER = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# A presentation, whose pictures are made from the film, or a video, which has copies of those that were chosen for it.
_PICTURE = re.compile(r"(poster|backdrop)(-\d{1,2}(-[0-9a-f]{32})?)?\.jpg", re.ASCII)


class WatchHistory(Protocol):
    """What the home page needs of playback."""

    async def continue_watching(self, account_id: str, limit: int) -> Sequence[tuple[str, float, float]]:
        """What the account has begun and not finished, the latest first: video id, position and duration in seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Item:
    """A video in a row; `position_seconds` where it has been begun."""

    video: Video
    position_seconds: float | None = None
    duration_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the home page and why it is there."""

    id: str
    title: str
    reason: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG and what identifies its bytes."""

    data: bytes
    etag: str


class Browsing:
    """The room's front for viewers; `ottserver.catalog.service` is the one for administrators."""

    def __init__(self, *, database: Database, shelves: Shelves, blobs: Blobs, history: WatchHistory) -> None:
        """Show what is in `database` and on `shelves`, with pictures from `blobs`, to people with a `history`."""
        self._database = database
        self._shelves = shelves
        self._blobs = blobs
        self._history = history
        self._pictures: OrderedDict[str, Picture] = OrderedDict()
        self._picture_bytes = 0

    async def video(self, video_id: str, caller: Principal) -> Video:
        """The video. Raises `NotFound`, for members also when it never has been playable."""
        async with self._database.reading() as connection:
            video = await store.find(connection, video_id)
        if video is None or not (caller.manages or video.published_at is not None):
            message = "There is no video with this id."
            raise NotFound(message)
        return video

    async def home(self, account_id: str) -> list[Row]:
        """The rows of the home page; those that would be empty are left out."""
        begun = await self._history.continue_watching(account_id, ROW_ITEMS)
        present: dict[str, Video] = {}
        if begun:
            async with self._database.reading() as connection:
                present = await store.watchable(connection, [video_id for video_id, _, _ in begun])
        shared = await self._shelves.now()
        going_on = tuple(
            Item(present[video_id], position, duration) for video_id, position, duration in begun if video_id in present
        )
        rows = [
            Row("continue", "Continue watching", "You have begun these and not finished them.", going_on),
            Row("new", "New", "They were added last.", tuple(map(Item, shared.newest))),
        ]
        for genre, videos in shared.genres:
            reason = f"They are tagged {genre.name}."
            rows.append(Row(f"genre:{genre.slug}", genre.name, reason, tuple(map(Item, videos))))
        return [row for row in rows if row.items]

    async def categories(self, page: int, limit: int) -> tuple[list[Category], int]:
        """A page of the genres that have something to watch, fullest first, and how many there are."""
        async with self._database.reading() as connection:
            return await store.categories(connection, (page - 1) * limit, limit)

    async def category(self, genre: str, page: int, limit: int) -> tuple[list[Video], int]:
        """A page of a genre's videos, newest first, and how many it has. Raises `NotFound` for a genre without any."""
        if slug(genre) == genre:
            async with self._database.reading() as connection:
                videos, total = await store.in_category(connection, genre, (page - 1) * limit, limit)
            if total:
                return videos, total
        message = "There is no such category."
        raise NotFound(message)

    async def picture(self, folder: str, name: str) -> Picture:
        """Artwork made from a film. Raises `NotFound`."""
        key = f"artwork/{folder}/{name}"
        cached = self._pictures.get(key)
        if cached is not None:
            self._pictures.move_to_end(key)
            return cached
        try:
            if not _PICTURE.fullmatch(name) or not _FOLDER.fullmatch(folder):
                raise BlobMissing(key)
            data = await self._blobs.get(key)
        except BlobMissing as error:
            message = "There is no such picture."
            raise NotFound(message) from error
        digest = await asyncio.to_thread(hashlib.sha256, data)
        picture = Picture(data, digest.hexdigest()[:32])
        self._keep(key, picture)
        return picture

    def _keep(self, key: str, picture: Picture) -> None:
        before = self._pictures.pop(key, None)
        self._pictures[key] = picture
        self._picture_bytes += len(picture.data) - (len(before.data) if before else 0)
        while self._picture_bytes > ARTWORK_CACHE_BYTES:
            _, oldest = self._pictures.popitem(last=False)
            self._picture_bytes -= len(oldest.data)
