"""Playback's use cases: begin, keep alive and end a session; what was watched, and where to go on.

A session is a row, a ticket and, while it is alive, a lease on one of the plan's screens. The row says whether it has
ended; the lease only counts. A lease that was lost, by a restart or by a laptop that slept, is taken again as long as
there is a free screen.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from ottserver.clock import rfc3339, utcnow
from ottserver.errors import Busy, Conflict, Gone, NotFound, PaymentRequired
from ottserver.ids import new_id
from ottserver.playback.decoding import decodes
from ottserver.playback.models import NOTICED_SECONDS, Original, Play, Session, device_name
from ottserver.playback.start import first_quality
from ottserver.playback.store import HistoryStore, SessionStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ottserver.backends.database import Database
    from ottserver.identity import Principal
    from ottserver.media import Extras, Presentation
    from ottserver.playback.models import State, Video, Watched
    from ottserver.playback.screens import Screens

log = logging.getLogger(__name__)

EXPORT_SESSIONS_LIMIT = 1_000


class Entitlement(Protocol):
    """What an account may play."""

    @property
    def max_height(self) -> int:
        """Greatest height class, in pixels."""
        ...

    @property
    def screens(self) -> int:
        """How many sessions at once."""
        ...


class Entitlements(Protocol):
    """What playback needs of billing."""

    async def entitlement(self, principal: Principal) -> Entitlement | None:
        """What the caller may play, or nothing without a plan. Raises `Busy` when that cannot be known now."""
        ...


class Catalog(Protocol):
    """What playback needs of the catalog."""

    async def video(self, video_id: str) -> Video:
        """The video, playable or not yet. Raises `NotFound`."""
        ...


class Presentations(Protocol):
    """What playback needs of transcode."""

    async def presentation(self, presentation_id: str) -> Presentation | None:
        """The presentation with that id, or nothing."""
        ...

    async def extras(self, presentation_id: str) -> Extras:
        """What there is beside its segments by now."""
        ...

    async def prompt(self, presentation_id: str, seconds: float) -> frozenset[str]:
        """Names of the video rungs that play at that second of the film without any encoding."""
        ...


class Tickets(Protocol):
    """What playback needs of delivery."""

    def issue(self, *, session_id: str, video_id: str, presentation_id: str, max_height: int) -> str:
        """A signed ticket for the session."""
        ...

    def revoke(self, session_id: str) -> None:
        """Let the session's tickets open nothing any more."""
        ...


@dataclass(frozen=True, slots=True)
class Beat:
    """What a heartbeat is answered."""

    lease_seconds: float
    saved: bool
    """Whether the position is kept; when not, the next heartbeat brings a newer one."""
    pictured: str = ""
    """Where pictures for the seek bar are by now, relative to the manifests; nothing while there are none."""


class PlaybackService:
    """Sessions and history of viewers."""

    def __init__(
        self,
        database: Database,
        screens: Screens,
        *,
        entitlements: Entitlements,
        catalog: Catalog,
        presentations: Presentations,
        tickets: Tickets,
        now: Callable[[], datetime] = utcnow,
    ) -> None:
        """Keep the collaborators; `now` is the clock."""
        self._database = database
        self._screens = screens
        self._entitlements = entitlements
        self._catalog = catalog
        self._presentations = presentations
        self._tickets = tickets
        self._now = now
        self._ending: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Finish ending the sessions that are being ended."""
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def play(
        self, principal: Principal, video_id: str, *, profile_id: str = "", user_agent: str = "", can: str = ""
    ) -> Play:
        """Begin a session; `can` is what the player says that it decodes.

        Raises `NotFound` for an unknown video, `PaymentRequired` without a plan, `Conflict` while the video cannot be
        played or, with the sessions in use as `sessions`, when all screens are taken; `Busy` when the plan cannot be
        looked up.
        """
        video = await self._catalog.video(video_id)
        entitlement = await self._entitlements.entitlement(principal)
        if entitlement is None:
            message = "Playing needs a plan, and you have none that is active."
            raise PaymentRequired(message)
        presentation = await self._playable(video)
        moment = self._now()
        session = Session(
            id=new_id(),
            account_id=principal.account_id,
            profile_id=profile_id,
            video_id=video.id,
            presentation_id=presentation.id,
            title=video.title,
            duration_seconds=presentation.duration_seconds,
            device=device_name(user_agent),
            screens=entitlement.screens,
            started_at=moment,
            last_seen_at=moment,
            position=0.0,
            state="playing",
        )
        if not await self._screens.take(session):
            raise await self._screens_full(session)
        resume_at = await self._begin(session)
        ticket = self._tickets.issue(
            session_id=session.id,
            video_id=video.id,
            presentation_id=presentation.id,
            max_height=entitlement.max_height,
        )
        extras = await self._presentations.extras(presentation.id)
        prompt = await self._presentations.prompt(presentation.id, resume_at)
        start = first_quality(presentation, entitlement.max_height, prompt)
        return Play(
            session,
            ticket,
            resume_at,
            entitlement.max_height,
            video,
            start,
            extras.shown,
            _pictured(presentation.id, extras),
            _original(presentation, entitlement.max_height, can),
        )

    async def _playable(self, video: Video) -> Presentation:
        if video.status == "failed":
            raise Conflict(video.reason or "This video cannot be played: its file could not be prepared.")
        presentation = None
        if video.status in ("playable", "complete"):
            presentation = await self._presentations.presentation(video.presentation_id)
        if presentation is None:
            message = "This video is still being prepared; it can be played in a moment."
            raise Conflict(message)
        return presentation

    async def _begin(self, session: Session) -> float:
        """Write the session's row and find where its viewer left off; without the row no screen is taken either."""
        try:
            async with self._database.writing() as work:
                await SessionStore(work.connection).add(session)
                watched = await HistoryStore(work.connection).get(
                    session.account_id, session.profile_id, session.video_id
                )
        except BaseException:
            await self._screens.release(session.account_id, session.id)
            raise
        return watched.resume_at if watched else 0.0

    async def _screens_full(self, session: Session) -> Conflict:
        holders = await self._screens.holders(session.account_id)
        async with self._database.reading() as connection:
            rows = await SessionStore(connection).open_among([holder["session_id"] for holder in holders])
        positions = {row.id: row.position for row in rows}
        in_use = [{**holder, "position": positions.get(holder["session_id"], 0.0)} for holder in holders]
        allowed = "the one screen" if session.screens == 1 else f"all {session.screens} screens"
        message = f"Your plan's limit is reached: {allowed} in use. End one of these sessions to play here."
        return Conflict(message, extra={"sessions": in_use})

    async def heartbeat(self, principal: Principal, session_id: str, position: float, state: State) -> Beat:
        """Keep the session's screen and remember how far its viewer got, in seconds.

        Raises `NotFound` when it is not the caller's, `Gone` when it was ended elsewhere or its screen has been taken
        meanwhile. While the database is down a session that holds its screen goes on, unsaved.
        """
        renewed = await self._screens.renew(principal.account_id, session_id)
        try:
            session = await self._own(principal, session_id)
            if session.ended_at is not None:
                await self._screens.release(session.account_id, session.id)
                raise _ended()
            if not renewed and not await self._screens.take(session):
                await self._finish(session)
                message = "Your plan's screens have all been taken by other players; this session has ended."
                raise Gone(message)
            await self._save(session, position, state)
            extras = await self._presentations.extras(session.presentation_id)
        except Busy:
            if not renewed:
                raise
            log.warning("the position of session %s could not be kept; the next heartbeat tries again", session_id)
            return Beat(self._screens.lease_seconds, saved=False)
        return Beat(self._screens.lease_seconds, saved=True, pictured=_pictured(session.presentation_id, extras))

    async def _save(self, session: Session, position: float, state: State) -> None:
        reached = session.duration_seconds if state == "ended" else min(position, session.duration_seconds)
        beat = replace(session, position=reached, state=state, last_seen_at=self._now())
        async with self._database.writing() as work:
            if not await SessionStore(work.connection).beat(beat):
                await self._screens.release(session.account_id, session.id)
                raise _ended()
            if reached >= NOTICED_SECONDS or state == "ended":
                await HistoryStore(work.connection).keep(beat)

    async def end(self, principal: Principal, session_id: str, position: float | None = None) -> None:
        """End one of the caller's sessions, from whichever device; its player stood at `position`, in seconds.

        Again is no error. Raises `NotFound`.
        """
        await self._finish(await self._own(principal, session_id), position)

    async def _finish(self, session: Session, position: float | None = None) -> None:
        """End the session wholly, even when whoever asked is gone before the answer, as a closing page is."""
        task = asyncio.create_task(self._end(session, position))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        await asyncio.shield(task)

    async def _end(self, session: Session, position: float | None) -> None:
        if position is not None and session.ended_at is None:
            with suppress(Gone):  # ended from elsewhere meanwhile: where it stood then is kept
                await self._save(session, position, "paused")
        async with self._database.writing() as work:
            await SessionStore(work.connection).end(session.id, self._now())
        self._tickets.revoke(session.id)
        await self._screens.release(session.account_id, session.id)

    async def _own(self, principal: Principal, session_id: str) -> Session:
        async with self._database.reading() as connection:
            session = await SessionStore(connection).get(session_id)
        if session is None or session.account_id != principal.account_id:
            message = "You have no playback session with this id."
            raise NotFound(message)
        return session

    async def history(
        self, principal: Principal, profile_id: str, *, page: int, limit: int
    ) -> tuple[list[Watched], int]:
        """One page, counted from 1, of what the viewer watched, the latest first, and how many there are in all."""
        async with self._database.reading() as connection:
            return await HistoryStore(connection).page(
                principal.account_id, profile_id, offset=(page - 1) * limit, limit=limit
            )

    async def forget(self, principal: Principal, profile_id: str, video_id: str) -> None:
        """Forget that the viewer watched a video. Again is no error."""
        async with self._database.writing() as work:
            await HistoryStore(work.connection).forget(principal.account_id, profile_id, video_id)

    async def continue_watching(
        self, account_id: str, limit: int, profile_id: str = ""
    ) -> list[tuple[str, float, float]]:
        """What a viewer can go on with, the latest first: video id, where to go on, duration (seconds)."""
        async with self._database.reading() as connection:
            found = await HistoryStore(connection).unfinished(account_id, profile_id, limit)
        return [(entry.video_id, entry.resume_at, entry.duration_seconds) for entry in found]

    async def export(self, account_id: str) -> object:
        """All that is held about the account, as JSON values; of sessions the latest `EXPORT_SESSIONS_LIMIT`."""
        async with self._database.reading() as connection:
            watched = await HistoryStore(connection).all_of(account_id)
            sessions = await SessionStore(connection).latest(account_id, EXPORT_SESSIONS_LIMIT)
        return {
            "history": [
                {
                    "video_id": entry.video_id,
                    "profile_id": entry.profile_id or None,
                    "title": entry.title,
                    "position": entry.position,
                    "duration_seconds": entry.duration_seconds,
                    "watched_at": rfc3339(entry.watched_at),
                }
                for entry in watched
            ],
            "sessions": [
                {
                    "session_id": session.id,
                    "video_id": session.video_id,
                    "title": session.title,
                    "device": session.device,
                    "position": session.position,
                    "started_at": rfc3339(session.started_at),
                    "last_seen_at": rfc3339(session.last_seen_at),
                    "ended_at": rfc3339(session.ended_at) if session.ended_at else None,
                }
                for session in sessions
            ],
        }


def _original(presentation: Presentation, max_height: int, can: str) -> Original | None:
    """The original where plan and player allow it."""
    original = presentation.original
    if original is None or presentation.needed_height(original) > max_height or not decodes(original.codecs, can):
        return None
    sound = max((track.bandwidth for track in presentation.audio), default=0)
    return Original(original.codecs, original.height_class, original.bandwidth + sound)


def _pictured(presentation_id: str, extras: Extras) -> str:
    """The folder with the pictures for the seek bar, relative to the manifests; nothing while there are none."""
    board = extras.board
    return "" if board is None else f"{presentation_id}/{board.folder}"


def _ended() -> Gone:
    return Gone("This session was ended on another device.")
