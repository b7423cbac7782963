"""What a terminal shows of a film that is waited for: how far it is, how long it takes, and why nothing happens."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

from ottserver import datafolder
from ottserver.errors import NotFound
from ottserver.languages import own_name
from ottserver.media import Outlook
from ottserver.transcode.outlook import units_of

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from ottserver.app import Rooms
    from ottserver.catalog.models import Summary, Video

POLL_SECONDS = 0.5
_OWN_POLL_SECONDS = 0.1
# Where this process does the work: what it has made it knows without asking the blob store.
_STILL_SECONDS = 5.0
"""After so long without a new segment the film waits for something."""
_ENOUGH_SECONDS = 10.0
_MOST_FILMS = 1000
_LOSSLESS = 1000
# Steps of the film's bar: a share has no natural ones.
_4K = 2160
_CHANNELS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
_FILM = ""
# The bar of the whole film, among those that have the names of renditions.


def words_of(summary: Summary) -> dict[str, str]:
    """What people call each rendition, by its name: "1080p", "Sound", or "English (5.1)" where there are several."""
    called = {
        rendition.name: "4K" if rendition.height_class >= _4K else f"{rendition.height_class}p"
        for rendition in summary.renditions
        if rendition.kind == "video"
    }
    for track in summary.audio:
        how = _CHANNELS.get(track.channels, f"{track.channels} channels")
        language = track.label or own_name(track.language)
        called[track.name] = f"{language} ({how})" if language else how.capitalize()
    sounds = [rendition.name for rendition in summary.renditions if rendition.kind != "video"]
    if len(sounds) == 1:
        called[sounds[0]] = "Sound"
    return called


class Pace:
    """How long the rest takes, by what was seen of it: for films that another process encodes."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._first: tuple[float, float] | None = None
        self._last = (0.0, 0.0)

    def note(self, made: float, now: float) -> None:
        """So large a share is made, at `now` in seconds."""
        if self._first is None:
            self._first = self._last = made, now
        if made != self._last[0]:
            if self.still(now):
                # What it waited is no part of the work.
                self._first = made, now
            self._last = made, now

    def still(self, now: float) -> bool:
        """Whether nothing was made for a while."""
        return now - self._last[1] >= _STILL_SECONDS

    def left(self) -> float | None:
        """Seconds that the rest takes; nothing before enough was seen."""
        if self._first is None:
            return None
        made, seconds = self._last[0] - self._first[0], self._last[1] - self._first[1]
        return (1 - self._last[0]) * seconds / made if seconds >= _ENOUGH_SECONDS and made > 0 else None


class Waiting:
    """Looks at one film until it is as far as asked."""

    def __init__(self, rooms: Rooms, video_id: str, progress: Progress) -> None:
        """Look at the video with `rooms`, and draw its bars with `progress`."""
        self._rooms = rooms
        self._video_id = video_id
        self._progress = progress
        self._pace = Pace()
        self._bars: dict[str, TaskID] = {}

    async def until(self, enough: tuple[str, ...]) -> Video:
        """The video, once its status is among `enough`. Raises `NotFound` when it is deleted meanwhile."""
        self._bars[_FILM] = self._progress.add_task("", total=None)
        try:
            while (video := await self._video()).status not in enough:
                await self._draw(video)
                await asyncio.sleep(_OWN_POLL_SECONDS if self._rooms.transcode.fills else POLL_SECONDS)
        finally:
            for bar in self._bars.values():
                self._progress.remove_task(bar)
        return video

    async def _video(self) -> Video:
        try:
            return await self._rooms.catalog.video(self._video_id)
        except NotFound as error:
            message = "The film was deleted."
            raise NotFound(message) from error

    async def _draw(self, video: Video) -> None:
        """The film's bar, and below it one for each rendition."""
        from ottserver.commands.bars import described  # noqa: PLC0415 - not for a server

        here, now = self._rooms.transcode.fills, time.monotonic()
        if here:
            seen = await self._rooms.transcode.outlook(video.presentation_id or "")
            stored = await self._made(video.presentation_id)
        else:
            seen, stored = await self._seen(video.presentation_id, now)
        share, why, left = seen.made, seen.waits_for, seen.seconds_left
        known = bool(video.summary.renditions)
        words = why or ("encoding" if known else "examining")
        self._progress.update(
            self._bars[_FILM],
            description=described(video.details.title, words, self._progress.console.width),
            completed=share * _LOSSLESS,
            total=_LOSSLESS if known else None,
            left=left,
        )
        called = words_of(video.summary)
        for rendition in sorted(video.summary.renditions, key=lambda one: -one.height_class):
            name = rendition.name
            if name not in self._bars:
                self._bars[name] = self._progress.add_task(f"  {called.get(name, name)}", total=rendition.segments)
            self._progress.update(self._bars[name], completed=stored[name], left=seen.renditions.get(name))

    async def _made(self, presentation_id: str | None) -> Counter[str]:
        """Segments by rendition that this process knows to be there."""
        counts = await self._rooms.transcode.readiness(presentation_id) if presentation_id else {}
        return Counter({name: ready for name, (ready, _) in counts.items()})

    async def _seen(self, presentation_id: str | None, now: float) -> tuple[Outlook, Counter[str]]:
        """How far another process is, by what it has put into the blob store, and its segments by rendition."""
        stored = await self._stored(presentation_id) if presentation_id else Counter[str]()
        share = await self._share(presentation_id, stored) if presentation_id else 0.0
        self._pace.note(share, now)
        if self._pace.still(now):
            return Outlook(made=share, waits_for=await self._why()), stored
        return Outlook(made=share, seconds_left=self._pace.left()), stored

    async def _why(self) -> str:
        """Why a process that is not this one makes nothing of the film."""
        if not await asyncio.to_thread(datafolder.served, self._rooms.settings.data):
            return "the server is not running; waiting for it"
        videos, _ = await self._rooms.catalog.videos(1, _MOST_FILMS)
        others = sum(video.status in ("probing", "playable") and video.id != self._video_id for video in videos)
        return f"waiting; {others} other film{'s' if others > 1 else ''} in the works" if others else ""

    async def _stored(self, presentation_id: str) -> Counter[str]:
        """Segments in the blob store by rendition, whichever process makes them; what is copied has them all."""
        folder = f"presentations/{presentation_id}"
        keys = [info.key async for info in self._rooms.blobs.list(folder) if info.key.endswith(".m4s")]
        made = Counter(key.split("/")[2] for key in keys)
        presentation = await self._rooms.transcode.presentation(presentation_id)
        renditions = () if presentation is None else presentation.renditions
        return made | Counter({rendition.name: rendition.segments for rendition in renditions if rendition.copied})

    async def _share(self, presentation_id: str, stored: Counter[str]) -> float:
        """Share of the work that is done, 0 to 1; what is copied is none."""
        presentation = await self._rooms.transcode.presentation(presentation_id)
        made = [] if presentation is None else [one for one in presentation.renditions if not one.copied]
        sizes = {rendition.name: rendition.width * rendition.height for rendition in made}
        whole = units_of(sizes, {rendition.name: rendition.segments for rendition in made})
        return units_of(sizes, {name: stored[name] for name in sizes}) / whole if whole else 1.0
