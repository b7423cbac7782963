"""Delivery's use cases: believe a ticket, find the bytes that an address speaks of.

Once a presentation has been seen it is kept in memory, and tickets need no look-up: a film that plays goes on playing
while the database is down.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Protocol

from ottserver.delivery import cmcd, dash, hls, text, tiles
from ottserver.delivery.ahead import ReadAhead, place_of
from ottserver.delivery.edge import Body, Edge
from ottserver.delivery.ladder import ceiling, original_alone
from ottserver.delivery.paths import (
    INIT,
    MASTER,
    MEDIA_PLAYLIST,
    ORIGINAL_MASTER,
    ORIGINAL_MPD,
    SUBTITLES,
    InsideAddress,
    ManifestAddress,
    address,
    split,
)
from ottserver.delivery.tickets import Refusal, Ticket, TicketRefused
from ottserver.delivery.viewers import Viewers
from ottserver.errors import Denied, NotFound
from ottserver.media import Extras

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ottserver.delivery.metrics import DeliveryMetrics
    from ottserver.delivery.tickets import Tickets
    from ottserver.media import Presentation, Rendition

HLS_TYPE = "application/vnd.apple.mpegurl"
DASH_TYPE = "application/dash+xml"
PICTURE_TYPE = "image/jpeg"
TEXT_TYPE = "text/vtt; charset=utf-8"
MANIFEST_TYPES = frozenset({HLS_TYPE, DASH_TYPE})

MANIFEST_CACHE_BYTES = 8_000_000
PRESENTATIONS_LIMIT = 200
ACTIVE_LIMIT = 100_000
_WITH_INSIDE = 5
"""Parts of /media/{ticket}/{video}/{inside}, the empty one before the first slash included."""
DENIED = "This media address is not, or no longer, good. Ask /api/v1/play for a new one."


class Segments(Protocol):
    """What delivery needs of whoever has, or makes, the bytes."""

    async def init(self, presentation_id: str, rendition: str) -> bytes:
        """The init segment of a rendition. Raises `NotFound` or `Busy`."""
        ...

    async def segment(self, presentation_id: str, rendition: str, index: int, *, viewer: str = "") -> bytes:
        """Media segment `index`, made now if need be, for the playback session `viewer`.

        Raises `NotFound` or `Busy`. Cancelling withdraws the wish.
        """
        ...

    async def made(self, presentation_id: str, rendition: str, index: int) -> bytes:
        """A media segment that exists, nothing when it would have to be made first. Raises `NotFound` or `Busy`."""
        ...

    async def extra(self, presentation_id: str, name: str) -> bytes:
        """What was made beside the segments, such as "storyboard/0.jpg". Raises `NotFound`."""
        ...

    async def subtitle(self, presentation_id: str, track: str) -> bytes:
        """The WebVTT file of a text track. Raises `NotFound` or `Busy`."""
        ...


class Presentations(Protocol):
    """What delivery needs to know of what can be played."""

    async def presentation(self, presentation_id: str) -> Presentation | None:
        """The presentation with that id, or nothing."""
        ...

    async def extras(self, presentation_id: str) -> Extras:
        """What there is beside the segments by now."""
        ...


class Shut(Denied):
    """An address that its ticket does not open. Whoever asked reads the same words whatever the `reason`."""

    def __init__(self, reason: Refusal) -> None:
        """Keep the reason, for metrics and for whoever guards a cache."""
        super().__init__(DENIED)
        self.reason = reason


class Delivery:
    """From an address below /media/ to the bytes it stands for."""

    def __init__(
        self,
        *,
        tickets: Tickets,
        segments: Segments,
        presentations: Presentations,
        metrics: DeliveryMetrics,
        cache_bytes: int,
    ) -> None:
        """Keep up to `cache_bytes` of segments in memory."""
        self._tickets = tickets
        self._segments = segments
        self._presentations = presentations
        self._metrics = metrics
        self._seen: OrderedDict[str, Presentation] = OrderedDict()
        self._viewers = Viewers()
        self._edge = Edge(cache_bytes, metrics, self._viewers)
        self._ahead = ReadAhead(self._edge, self._viewers, segments, self._seen.get)
        self._manifests = Edge(MANIFEST_CACHE_BYTES, metrics)
        self._extras: OrderedDict[str, Extras] = OrderedDict()
        self._active: set[str] = set()

    def admit(self, path: str) -> tuple[Ticket, str]:
        """The ticket in a raw path, and what follows the video there. Never waits.

        Raises `Shut`.
        """
        parts = split(path)
        if parts is None:
            raise self.shut(Refusal.FORGED)
        try:
            ticket = self._tickets.verify(parts.ticket)
        except TicketRefused as refused:
            raise self.shut(refused.reason) from refused
        if parts.video_id != ticket.video_id:
            raise self.shut(Refusal.OTHER_TITLE)
        return ticket, parts.inside

    def cached(self, ticket: Ticket, inside: str) -> Body | None:
        """The segment at `inside` if it is in memory and the ticket opens it. Never waits, never raises."""
        if not inside.startswith(ticket.presentation_id):
            return None
        body = self._edge.peek(inside)
        if body is None or body.needed_height > ticket.max_height:
            return None
        self.took(ticket, body)
        return body

    def peek(self, path: str) -> tuple[Ticket, Body] | None:
        """The segment at a raw path below /media/, if it is in memory, and its ticket, if that was seen and opens it.

        Counts nothing: whoever answers with it says so by `took`. Never waits, never raises.
        """
        parts = path.split("/", 4)
        if len(parts) != _WITH_INSIDE:
            return None
        _, _, text, video_id, inside = parts
        ticket = self._tickets.remembered(text)
        if ticket is None or video_id != ticket.video_id or not inside.startswith(ticket.presentation_id):
            return None
        body = self._edge.peek(inside)
        return (ticket, body) if body is not None and body.needed_height <= ticket.max_height else None

    def took(self, ticket: Ticket, body: Body) -> None:
        """A segment out of memory goes to whoever holds the ticket."""
        self._metrics.hits.inc()
        self.note(ticket)
        place = body.place
        if place is not None and self._viewers.note(ticket.session_id, place):
            self._ahead.follow(place)

    def told(self, ticket: Ticket, body: Body, text: str) -> None:
        """Whoever holds the ticket said so (CMCD) with a request that was answered with a segment. Never raises."""
        place = body.place
        if place is None:
            return
        report = cmcd.read(text)
        self._metrics.players.add(ticket.video_id, place.rendition, report)
        if report.following:
            self._ahead.hint(ticket.presentation_id, place.rendition, report.following, ticket.max_height)

    async def body(self, ticket: Ticket, inside: str) -> Body:
        """The manifest or segment at `inside`. Raises `Shut`, `NotFound` or `Busy`."""
        wanted = address(inside)
        if isinstance(wanted, InsideAddress) and wanted.presentation_id != ticket.presentation_id:
            raise self.shut(Refusal.OTHER_TITLE)
        if wanted is None:
            raise _not_found()
        presentation = await self.presentation(ticket.presentation_id)
        if isinstance(wanted, ManifestAddress):
            return await self._manifest(presentation, ticket.max_height, wanted.name)
        rendition = presentation.rendition(wanted.rendition)
        if wanted.rendition in tiles.FOLDERS:
            return await self._tiles(presentation, inside, wanted)
        if rendition is None:
            return await self._text(presentation, inside, wanted)
        needed = presentation.needed_height(rendition)
        if needed > ticket.max_height:
            raise self.shut(Refusal.ABOVE_PLAN)
        if wanted.name == MEDIA_PLAYLIST:
            build = partial(_encoded, partial(hls.media_playlist, rendition))
            return await self._manifests.fetch(inside, build, HLS_TYPE, needed)
        self.note(ticket)
        make = self._maker(presentation, rendition, wanted, ticket.session_id)
        place = None if wanted.index is None else place_of(self._viewers, presentation, rendition, wanted.index)
        steady = place is not None and self._viewers.note(ticket.session_id, place)
        body = await self._edge.fetch(
            inside, make, f"{rendition.kind}/mp4", needed, asker=ticket.session_id, place=place
        )
        if steady and body.place is not None:
            self._ahead.follow(body.place)
        return body

    def take_active(self) -> set[str]:
        """The playback sessions that have fetched media since this was last asked."""
        active, self._active = self._active, set()
        return active

    async def close(self) -> None:
        """Cancel what is being fetched."""
        await self._ahead.close()
        await self._edge.close()
        await self._manifests.close()

    def note(self, ticket: Ticket) -> None:
        """Remember that the ticket's session fetches media."""
        if len(self._active) < ACTIVE_LIMIT:
            self._active.add(ticket.session_id)

    def _maker(
        self, presentation: Presentation, rendition: Rendition, wanted: InsideAddress, viewer: str
    ) -> Callable[[], Awaitable[bytes]]:
        if wanted.name == INIT:
            return partial(self._segments.init, presentation.id, rendition.name)
        index = wanted.index
        if index is None or index >= rendition.segments:
            raise _not_found()
        return partial(self._segments.segment, presentation.id, rendition.name, index, viewer=viewer)

    async def _manifest(self, presentation: Presentation, max_height: int, name: str) -> Body:
        if name in (ORIGINAL_MASTER, ORIGINAL_MPD):
            original = presentation.original
            if original is None:
                raise _not_found()
            if presentation.needed_height(original) > max_height:
                raise self.shut(Refusal.ABOVE_PLAN)
            presentation = original_alone(presentation, original)
        top = ceiling(presentation, max_height)
        extras = await self._beside(presentation.id)
        subtitles, board = extras.shown, extras.board
        beside = [track.name for track in subtitles] + [board.folder if board else ""]
        key = f"{presentation.id}/{top}/{name}/{','.join(beside)}"
        if name in (MASTER, ORIGINAL_MASTER):
            build = partial(_encoded, partial(hls.master_playlist, presentation, top, subtitles, board))
            return await self._manifests.fetch(key, build, HLS_TYPE)
        make = partial(asyncio.to_thread, dash.mpd, presentation, top, subtitles, board)
        return await self._manifests.fetch(key, make, DASH_TYPE)

    async def _beside(self, presentation_id: str) -> Extras:
        """The subtitles and pictures there are by now; those that were there last while that cannot be asked."""
        try:
            extras = await self._presentations.extras(presentation_id)
        except Exception:  # noqa: BLE001 - whatever fails behind it, a film that plays goes on playing
            return self._extras.get(presentation_id, Extras())
        self._extras[presentation_id] = extras
        self._extras.move_to_end(presentation_id)
        if len(self._extras) > PRESENTATIONS_LIMIT:
            self._extras.popitem(last=False)
        return extras

    async def _text(self, presentation: Presentation, inside: str, wanted: InsideAddress) -> Body:
        """The playlist or the file of a subtitle track."""
        tracks = (await self._beside(presentation.id)).shown
        if all(track.name != wanted.rendition for track in tracks):
            raise _not_found()
        if wanted.name == MEDIA_PLAYLIST:
            build = partial(_encoded, partial(text.hls_playlist, presentation.duration_seconds))
            return await self._manifests.fetch(inside, build, HLS_TYPE)
        if wanted.name != SUBTITLES:
            raise _not_found()
        make = partial(self._segments.subtitle, presentation.id, wanted.rendition)
        return await self._edge.fetch(inside, make, TEXT_TYPE)

    async def _tiles(self, presentation: Presentation, inside: str, wanted: InsideAddress) -> Body:
        """A sheet of pictures for the seek bar, or what says which second is where on them."""
        extras = await self._beside(presentation.id)
        boards = {board.folder: board for board in (extras.glance, extras.storyboard) if board is not None}
        board = boards.get(wanted.rendition)
        if board is None:
            raise _not_found()
        if wanted.name == tiles.IMAGES:
            build = partial(_encoded, partial(tiles.hls_playlist, board, presentation.duration_seconds))
            return await self._manifests.fetch(inside, build, HLS_TYPE)
        if wanted.name == tiles.INDEX:
            build = partial(_encoded, partial(tiles.index, board, presentation.duration_seconds))
            return await self._edge.fetch(inside, build, TEXT_TYPE)
        number = wanted.name.removesuffix(tiles.SHEET_SUFFIX)
        if number not in {str(sheet) for sheet in range(board.sheets)} or number == wanted.name:
            raise _not_found()
        make = partial(self._segments.extra, presentation.id, f"{board.folder}/{wanted.name}")
        return await self._edge.fetch(inside, make, PICTURE_TYPE)

    async def presentation(self, presentation_id: str) -> Presentation:
        """The presentation, asked for once. Raises `NotFound`."""
        found = self._seen.get(presentation_id)
        if found is None:
            found = await self._presentations.presentation(presentation_id)
            if found is None:
                raise _not_found()
            self._seen[presentation_id] = found
            if len(self._seen) > PRESENTATIONS_LIMIT:
                self._seen.popitem(last=False)
        else:
            self._seen.move_to_end(presentation_id)
        return found

    def shut(self, reason: Refusal) -> Shut:
        """What to raise for that reason, counted."""
        self._metrics.denied(reason.value)
        return Shut(reason)


def _not_found() -> NotFound:
    return NotFound("There is no such media in this title.")


async def _encoded(build: Callable[[], str]) -> bytes:
    """The text that `build` makes, as UTF-8; in a thread, since a long film's playlist takes milliseconds."""
    return (await asyncio.to_thread(build)).encode()
