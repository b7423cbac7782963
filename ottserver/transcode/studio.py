"""Makes segments of titles with the pool and publishes them: the one place where bytes enter the blob store."""

from __future__ import annotations

import logging
from bisect import bisect_right
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ottserver.backends.blobs import BlobMissing, BlobsFull
from ottserver.errors import NoRoom, NotFound
from ottserver.media import artwork_key, extra_key, init_key, segment_key
from ottserver.transcode import jobs
from ottserver.transcode.board import PICTURES, weighed
from ottserver.transcode.boxes import whole
from ottserver.transcode.plan import digest
from ottserver.transcode.pool import JobFailed, first
from ottserver.transcode.spill import Spill

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from ottserver.backends.blobs import Blobs
    from ottserver.backends.blobs.space import Room, Space
    from ottserver.transcode.board import FromSegments
    from ottserver.transcode.errands import Errand
    from ottserver.transcode.hold import Hold
    from ottserver.transcode.jobs import Item, Lane
    from ottserver.transcode.pool import Pool, Rank
    from ottserver.transcode.segmentmap import Work
    from ottserver.transcode.title import Title

_log = logging.getLogger(__name__)
_SEGMENT = ".m4s"


class Studio:
    """Turns work on a title into blobs."""

    def __init__(self, blobs: Blobs, pool: Pool, space: Space) -> None:
        """Publish to `blobs` what `pool` makes, as far as there is `space`."""
        self._blobs = blobs
        self._pool = pool
        self._space = space
        self._spill = Spill()

    async def room(self) -> Room:
        """How much there is on the disks."""
        return await self._space.look()

    async def list(self, title: Title) -> None:
        """Let the title's map know what is in the blob store, once."""
        async with title.listing:
            if title.listed:
                return
            async for info in self._blobs.list(f"presentations/{title.id}"):
                _, _, rendition, name = info.key.split("/", 3)
                number = name.removesuffix(_SEGMENT)
                if number != name and number.isdecimal() and info.size:
                    title.map.add(rendition, int(number))
            for rendition, marked in title.damage.items():
                for index in marked:
                    if not title.map.is_ready(rendition, index):
                        title.map.mark(rendition, index)
            title.listed = True

    async def discard(self, title: Title, rendition: str, index: int) -> None:
        """Remove a segment that was found wrong, so that it is made again."""
        await self._blobs.delete(segment_key(title.id, rendition, index))
        title.map.lose(rendition, index)

    async def segments(
        self,
        title: Title,
        work: Work,
        lane: Lane,
        *,
        rank: Callable[[], Rank] | None = None,
        hold: Hold | None = None,
        started: Callable[[], None] | None = None,
        made: Callable[[str, int, bytes], None] | None = None,
    ) -> None:
        """Make and publish segments, as far as `hold` lets the work go.

        `rank` is the pool's: the smallest goes first. `made` is told of each: rendition, index and the published bytes.
        What players wait for (`urgent`) is handed out although a full disk does not take it. Raises `JobFailed`,
        `NotFound` when the title was removed meanwhile, and `NoRoom`.
        """

        async def take(item: Item) -> None:
            data = await self._publish(title, item, lane)
            if made is not None:
                made(item.about["rendition"], item.about["index"], data)

        try:
            async with self._blobs.local(title.source_key) as path:
                if work.kind == "audio":
                    job = jobs.audio_job(title.plan, str(path), work.renditions[0], work.first, work.count)
                else:
                    job = jobs.video_job(title.plan, str(path), list(work.renditions), work.first, work.count)
                await self._pool.run(lane, job, rank=rank or first, started=started, take=take, hold=hold)
        except BlobMissing:
            message = "the source's bytes are not in the blob store"
            raise JobFailed(message) from None

    def at_once(self) -> bool:
        """Whether what a player waits for would be begun at once."""
        return self._pool.idle("urgent")

    def line(self) -> Sequence[Rank]:
        """The ranks of all that players wait for and no worker has begun, in the order of their turns."""
        return self._pool.line("urgent")

    async def _publish(self, title: Title, item: Item, lane: Lane) -> bytes:
        rendition, index = item.about["rendition"], item.about["index"]
        if item.about["init"] != title.inits[rendition]:
            message = "the encoder is not the one that made the init segment: the title has to be planned again"
            raise JobFailed(message)
        if title.gone:
            message = "The film was removed."
            raise NotFound(message)
        key = segment_key(title.id, rendition, index)
        # Whoever was given these bytes is given the same ones for ever.
        data = self._spill.get(key) or item.data
        try:
            data = await self._store(key, data, lane)
        except NoRoom:
            if lane != "urgent":
                raise
            return self._spill.keep(key, data)
        self._spill.take(key)
        if title.removed():
            # It went while the bytes were on their way, perhaps after all that there was of it had been erased.
            await self._blobs.delete(key)
            message = "The film was removed."
            raise NotFound(message)
        title.add(rendition, index)
        return data

    async def has(self, title: Title, rendition: str, index: int) -> bool:
        """Whether a segment can be had at once."""
        if title.map.is_ready(rendition, index):
            return True
        key = segment_key(title.id, rendition, index)
        info = await self._blobs.info(key)
        return (info is not None and info.size > 0) or bool(self._spill.get(key))

    async def _store(self, key: str, data: bytes, lane: Lane) -> bytes:
        """The bytes under the key, which are those of whoever wrote first. Raises `NoRoom`."""
        room = await self.room()
        if room.full if lane == "background" else not room.for_players:
            raise BlobsFull
        if not await self._blobs.create(key, data):
            try:
                before = await self._blobs.get(key)
            except BlobMissing:
                before = b""
            if whole(before):
                return before
            await self._blobs.put(key, data)
        return data

    async def segment(self, key: str) -> bytes:
        """The bytes of a segment; none when it is missing, or a power cut has left but a part of it."""
        data = await self.stored(key)
        if data and not whole(data):
            _log.warning("%s is not whole: it is made again", key)
            return b""
        return data

    async def stored(self, key: str) -> bytes:
        """The blob's bytes; none when it is missing, or empty, which is what a power cut may leave of a new file."""
        try:
            return await self._blobs.get(key) or self._spill.get(key)
        except BlobMissing:
            return self._spill.get(key)

    async def slice(self, title: Title, rendition: str, index: int) -> bytes:
        """A segment of the source's own packets, which nobody keeps. Raises `JobFailed`."""
        try:
            async with self._blobs.local(title.source_key) as path:
                job = jobs.slice_job(title.plan, str(path), rendition, index)
                (item,) = await self._pool.run("urgent", job)
        except BlobMissing:
            message = "the source's bytes are not in the blob store"
            raise JobFailed(message) from None
        if item.about["init"] != title.inits[rendition]:
            message = "the source describes the rendition otherwise here than at its beginning"
            raise JobFailed(message)
        return item.data

    async def inits(self, plan: str, source_key: str) -> dict[str, Item]:
        """The init segment of every rendition of a plan (as JSON), by name. Raises `JobFailed`.

        `source_key` names the source where the plan has copies of it; else it is not needed, and may be "".
        """
        try:
            async with self._blobs.local(source_key) if source_key else nullcontext() as path:
                items = await self._pool.run("urgent", jobs.init_job(plan, str(path or "")))
        except BlobMissing:
            message = "the source's bytes are not in the blob store"
            raise JobFailed(message) from None
        return {item.about["rendition"]: item for item in items}

    async def stored_init(self, title: Title, rendition: str) -> bytes:
        """An init segment; none when it is missing, or is not what the segments were made for."""
        data = await self.stored(init_key(title.id, rendition))
        return data if data and digest(data) == title.inits[rendition] else b""

    async def keep_inits(self, title: Title) -> None:
        """Make lost and damaged init segments again. Raises `JobFailed`."""
        copies = any(rendition.copied for rendition in title.presentation.renditions)
        if not all([await self.stored_init(title, rendition) for rendition in title.inits]):
            await self.publish_inits(title.id, await self.inits(title.plan, title.source_key if copies else ""))

    async def publish_inits(self, presentation_id: str, inits: dict[str, Item]) -> None:
        """Write the init segments."""
        for name, item in inits.items():
            await self._blobs.put(init_key(presentation_id, name), item.data)

    async def errand(self, title: Title, errand: Errand) -> dict[str, Any]:
        """Do an errand and publish what it makes; its result. Raises `JobFailed`."""
        if errand == "storyboard" and title.from_segments is not None:
            return await self._from_segments(title, title.from_segments)
        try:
            async with self._blobs.local(title.source_key) as path:
                items = await self._pool.run("background", jobs.errand_job(errand, title.plan, str(path)))
        except BlobMissing:
            message = "the source's bytes are not in the blob store"
            raise JobFailed(message) from None
        result: dict[str, Any] = {}
        for item in items:
            if "result" in item.about:
                result = item.about["result"]
            else:
                await self._keep(title, item)
        return result

    async def _keep(self, title: Title, item: Item) -> None:
        if title.gone:
            return
        drawn = item.about.get("picture")
        key = artwork_key(title.id, drawn) if drawn else extra_key(title.id, item.about["extra"])
        await self._blobs.put(key, item.data)
        if title.removed():
            await self._blobs.delete(key)

    async def _from_segments(self, title: Title, source: FromSegments) -> dict[str, Any]:
        """Draw the storyboard from segments: no more of them are open at once than a sheet has tiles."""
        board, peak = source.board, 0
        size = board.columns * board.rows
        there = [index for index in range(max(source.segments) + 1) if title.map.is_ready(source.rung, index)]
        if not there:
            message = "there is no segment to draw it from"
            raise JobFailed(message)
        await self.keep_inits(title)
        held = [_held(there, index) for index in source.segments]
        for number in range(board.sheets):
            item = await self._sheet(title, source, number, held[number * size : (number + 1) * size])
            peak = max(peak, len(item.data))
            await self._keep(title, item)
        result = {"storyboard": asdict(weighed(board, peak))}
        artwork = title.extras.artwork
        # Few key frames are few pictures to choose from.
        if artwork is None or len(artwork.seconds) < PICTURES:
            with suppress(JobFailed):
                result["artwork"] = await self._artwork(title, source)
        return result

    async def _sheet(self, title: Title, source: FromSegments, number: int, indices: Sequence[int]) -> Item:
        async with self._opened(title, source.rung, indices) as (init, paths):
            segments = [paths[_held(list(paths), index)] for index in indices]
            job = jobs.sheet_job(title.plan, asdict(source.board), number, init, segments)
            (item,) = await self._pool.run("background", job)
            return item

    async def _artwork(self, title: Title, source: FromSegments) -> dict[str, Any]:
        async with self._opened(title, source.large, source.candidates()) as (init, paths):
            items = await self._pool.run(
                "background", jobs.artwork_job(title.plan, source.large, init, list(paths.items()))
            )
        for item in items[:-1]:
            await self._keep(title, item)
        artwork: dict[str, Any] = items[-1].about["result"]["artwork"]
        return artwork

    @asynccontextmanager
    async def _opened(
        self, title: Title, rendition: str, indices: Iterable[int]
    ) -> AsyncIterator[tuple[str, dict[int, str]]]:
        """The path of the init segment, and those of the segments that there are. Raises `JobFailed` without any."""
        async with AsyncExitStack() as stack:
            init = await stack.enter_async_context(self._blobs.local(init_key(title.id, rendition)))
            paths: dict[int, str] = {}
            for index in dict.fromkeys(indices):
                with suppress(BlobMissing):
                    key = segment_key(title.id, rendition, index)
                    paths[index] = str(await stack.enter_async_context(self._blobs.local(key)))
            if not paths:
                message = "the segments to draw it from were lost"
                raise JobFailed(message)
            yield str(init), paths

    async def stored_extra(self, presentation_id: str, name: str) -> bytes:
        """The bytes of an extra; none when it is missing."""
        return await self.stored(extra_key(presentation_id, name))

    async def erase_sidecars(self, source_id: str) -> None:
        """Remove the subtitles that were added to a source."""
        await self._blobs.delete_folder(f"subtitles/{source_id}")

    async def erase(self, presentation_id: str) -> None:
        """Remove every blob of a presentation."""
        await self._blobs.delete_folder(f"presentations/{presentation_id}")
        await self._blobs.delete_folder(f"artwork/{presentation_id}")
        await self._blobs.delete_folder(f"extras/{presentation_id}")
        _log.info("removed all segments of presentation %s", presentation_id)


def _held(there: Sequence[int], index: int) -> int:
    """A segment, or in place of one that is not there the one before it, or, at the beginning, the first."""
    return there[max(0, bisect_right(there, index) - 1)]
