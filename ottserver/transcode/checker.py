"""Looks at a film that seems to be finished, before it is called complete.

Of every segment the boxes are read: where it begins, how long it is, how many samples it has, and whether it is whole.
The first and the last segment of each rendition are decoded by a worker.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import TYPE_CHECKING

from ottserver.backends.blobs import BlobMissing
from ottserver.media import init_key, segment_key
from ottserver.transcode import jobs
from ottserver.transcode.boxes import Fragment, fragment
from ottserver.transcode.grid import AAC_FRAME
from ottserver.transcode.pool import JobFailed

if TYPE_CHECKING:
    from ottserver.backends.blobs import Blobs
    from ottserver.media import Rendition
    from ottserver.transcode.pool import Pool
    from ottserver.transcode.title import Title

    Bad = dict[tuple[str, int], str]

_HEAD_BYTES = 64 * 1024
"""More than the boxes before a segment's media take, whatever its length."""


class Checker:
    """Finds segments that are not what they should be."""

    def __init__(self, blobs: Blobs, pool: Pool) -> None:
        """Read `blobs`, and decode with `pool`."""
        self._blobs = blobs
        self._pool = pool

    async def bad(self, title: Title) -> Bad:
        """The segments that are wrong, by rendition and index, with what is wrong. Raises `JobFailed`."""
        folder = f"presentations/{title.id}"
        sizes = {info.key: info.size async for info in self._blobs.list(folder)}
        made = [rendition for rendition in title.presentation.renditions if not rendition.copied]
        found = await asyncio.gather(*(self._rendition(title, rendition, sizes) for rendition in made))
        return {place: reason for bad in found for place, reason in bad.items()}

    async def _rendition(self, title: Title, rendition: Rendition, sizes: dict[str, int]) -> Bad:
        found: Bad = {}
        samples: dict[int, int] = {}
        for index, (start, end) in enumerate(pairwise(rendition.boundaries)):
            key = segment_key(title.id, rendition.name, index)
            try:
                seen = await self._fragment(key)
            except ValueError as error:
                found[rendition.name, index] = f"{error}"
                continue
            samples[index] = seen.samples
            if reason := _wrong(seen, rendition, start, end) or (
                "" if seen.bytes == sizes.get(key) else f"it has {sizes.get(key, 0)} bytes instead of {seen.bytes}"
            ):
                found[rendition.name, index] = reason
        ends = {0, rendition.segments - 1}
        sound = {index: samples[index] for index in ends if (rendition.name, index) not in found}
        return found | await self._decoded(title, rendition.name, sound)

    async def _fragment(self, key: str) -> Fragment:
        try:
            head = await self._blobs.get_range(key, 0, _HEAD_BYTES)
        except BlobMissing:
            message = "it is missing"
            raise ValueError(message) from None
        await asyncio.sleep(0)
        return fragment(head)

    async def _decoded(self, title: Title, rendition: str, samples: dict[int, int]) -> Bad:
        async with AsyncExitStack() as stack:
            try:
                init = await stack.enter_async_context(self._blobs.local(init_key(title.id, rendition)))
                segments = []
                for index, count in samples.items():
                    key = segment_key(title.id, rendition, index)
                    segments.append((index, str(await stack.enter_async_context(self._blobs.local(key))), count))
            except BlobMissing as gone:
                message = f"{gone} was lost while the film was checked"
                raise JobFailed(message) from None
            items = await self._pool.run("background", jobs.check_job(title.plan, str(init), segments))
        return {(rendition, item.about["index"]): item.about["wrong"] for item in items if item.about["wrong"]}


def _wrong(seen: Fragment, rendition: Rendition, start: int, end: int) -> str:
    if seen.start != start:
        return f"it begins at tick {seen.start} instead of {start}"
    if seen.duration != end - start:
        return f"it is {seen.duration} ticks long instead of {end - start}"
    # Every sample of sound is as long; pictures are at least a tick.
    if rendition.kind == "audio" and seen.samples * AAC_FRAME != seen.duration:
        return f"it has {seen.samples} frames of sound in {seen.duration} ticks"
    return ""
