"""A house with one film in it, and the people who watch there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ottserver.billing.models import Entitlement
from ottserver.delivery.tickets import Refusal, TicketRefused, Tickets
from ottserver.errors import Busy, NotAuthenticated, NotFound
from ottserver.identity import Principal
from ottserver.ids import new_id
from ottserver.media import Extras, Presentation, Rendition, Storyboard, TextTrack
from ottserver.playback.models import Video

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy.ext.asyncio import AsyncConnection

    from ottserver.backends.database import Database, UnitOfWork

MINUTE = 60.0
FILM_SECONDS = 100 * MINUTE

BESIDE = Extras(
    text=(
        TextTrack("s0-12ab", "fr", "Français", "text", "subrip", forced=True),
        TextTrack("s1", "de", "Deutsch", "image", "hdmv_pgs_subtitle"),
    ),
    storyboard=Storyboard(2.0, 3, 3, 1, 256, 144, 40_000),
)
FILM = Presentation(
    id="ab" * 16,
    source_id=new_id(),
    duration_seconds=FILM_SECONDS,
    renditions=(
        Rendition("v480", "video", "avc1.64001e", 800_000, 700_000, 1000, (0, 6_000_000), 854, 480, 480, "24/1"),
    ),
)


ORIGINAL = Presentation(
    id="ef" * 16,
    source_id=new_id(),
    duration_seconds=FILM_SECONDS,
    renditions=(
        *FILM.renditions,
        Rendition("original", "video", "hvc1.2.4.L153.B0", 20_000_000, 9_000_000, 1000, (0, 6_000_000), 3840, 2160,
                  2160, "24/1", group="original", copied=True),
        Rendition("a0", "audio", "mp4a.40.2", 140_000, 128_000, 1000, (0, 6_000_000)),
    ),
)  # fmt: skip


class Clock:
    """Time that passes when a test says so; `now` for rows, `monotonic` for the cache, `seconds` for tickets."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def pass_(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    def now(self) -> datetime:
        return self.moment

    def seconds(self) -> float:
        return self.moment.timestamp()


@dataclass
class House:
    """Catalog and plans: what is asked of other rooms."""

    videos: dict[str, Video] = field(default_factory=dict)
    plans: dict[str, Entitlement] = field(default_factory=dict)
    made: frozenset[str] = frozenset()
    """Rungs of which segments exist, up to the second `made_until`."""
    made_until: float = FILM_SECONDS

    def add_film(self, title: str = "Big Buck Bunny") -> str:
        video = Video(new_id(), title, "playable", presentation_id=FILM.id)
        self.videos[video.id] = video
        return video.id

    def change(self, video_id: str, **changes: str) -> None:
        self.videos[video_id] = replace(self.videos[video_id], **changes)  # type: ignore[arg-type] # by name

    def member(self, screens: int | None = 1, max_height: int = 720) -> Principal:
        """Somebody with a plan of that many screens; with none, somebody without a plan."""
        principal = Principal(new_id(), "member", new_id())
        if screens:
            self.plans[principal.account_id] = Entitlement("basic", max_height, screens, None)
        return principal

    async def video(self, video_id: str) -> Video:
        if video_id not in self.videos:
            raise NotFound("There is no video with this id.")
        return self.videos[video_id]

    async def entitlement(self, principal: Principal) -> Entitlement | None:
        return self.plans.get(principal.account_id)

    async def entitlements(self, account_ids: Collection[str]) -> dict[str, Entitlement]:
        return {account_id: self.plans[account_id] for account_id in account_ids if account_id in self.plans}

    async def presentation(self, presentation_id: str) -> Presentation | None:
        return next((film for film in (FILM, ORIGINAL) if film.id == presentation_id), None)

    async def extras(self, presentation_id: str) -> Extras:
        return BESIDE if presentation_id == FILM.id else Extras()

    async def prompt(self, presentation_id: str, seconds: float) -> frozenset[str]:
        return self.made if presentation_id == FILM.id and seconds < self.made_until else frozenset()

    async def authenticate(self, token: str) -> Principal:
        """The token is "account:session"."""
        account_id, _, session_id = token.partition(":")
        if not session_id:
            raise NotAuthenticated("This is no token.")
        return Principal(account_id, "member", session_id)


@dataclass
class Switchable:
    """A real database whose line can be cut."""

    real: Database
    cut: bool = False
    read: int = 0
    written: int = 0
    """Transactions of each kind that were begun."""

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        self._check()
        self.read += 1
        return self.real.reading()

    def writing(self) -> AbstractAsyncContextManager[UnitOfWork]:
        self._check()
        self.written += 1
        return self.real.writing()

    def _check(self) -> None:
        if self.cut:
            raise Busy("The database cannot be reached.")

    def on_announced(self, listener: Callable[[], None]) -> None:
        self.real.on_announced(listener)

    async def check(self) -> None:
        self._check()


@dataclass
class Fetching:
    """What delivery has noticed: sessions that fetched."""

    sessions: set[str] = field(default_factory=set)

    def take_active(self) -> set[str]:
        active, self.sessions = self.sessions, set()
        return active


def refusal(tickets: Tickets, text: str) -> Refusal | None:
    """Why the ticket opens nothing, or nothing when it does."""
    try:
        tickets.verify(text)
    except TicketRefused as error:
        return error.reason
    return None
