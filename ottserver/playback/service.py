"""Playback's use cases: begin, keep alive and end a session; what was watched, and where to go on.

A session is a row, a ticket and, while it is alive, a lease on one of the plan's screens. The row says whether it has
ended; the lease only counts. A lease that was lost, by a restart or by a laptop that slept, is taken again as long as
there is a free screen. While the database is away, what `Afloat` remembers stands in for rows.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from ottserver.clock import rfc3339, utcnow
from ottserver.errors import Busy, Conflict, Gone, NotFound, PaymentRequired
from ottserver.ids import new_id
from ottserver.playback.afloat import Afloat, Film
from ottserver.playback.beats import Beat, Beats
from ottserver.playback.decoding import decodes
from ottserver.playback.endings import gone
from ottserver.playback.models import Original, Play, Session, device_name
from ottserver.playback.start import first_quality
from ottserver.playback.store import HistoryStore, SessionStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ottserver.backends.database import Database
    from ottserver.identity import Principal
    from ottserver.media import Extras, Presentation
    from ottserver.playback.models import Reason, State, Video, Watched
    from ottserver.playback.needs import Catalog, Entitlements, Presentations, Tickets
    from ottserver.playback.screens import Screens

log = logging.getLogger(__name__)

EXPORT_SESSIONS_LIMIT = 1_000
DATABASE_WAIT_SECONDS = 2.0
"""How long a player waits for the database before it goes on without."""


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
        afloat: Afloat,
        now: Callable[[], datetime] = utcnow,
    ) -> None:
        """Keep the collaborators; `afloat` remembers what an outage hides, `now` is the clock."""
        self._database = database
        self._screens = screens
        self._entitlements = entitlements
        self._catalog = catalog
        self._presentations = presentations
        self._tickets = tickets
        self._afloat = afloat
        self._beats = Beats(database, afloat.saved)
        self._now = now
        self._ending: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Finish ending the sessions that are being ended, and write what waits, if the database is there by now."""
        await asyncio.gather(*self._ending, return_exceptions=True)
        await self._beats.close()
        with suppress(Busy, TimeoutError):
            async with asyncio.timeout(DATABASE_WAIT_SECONDS):
                await self._afloat.write(self._database)

    async def play(
        self, principal: Principal, video_id: str, *, profile_id: str = "", user_agent: str = "", can: str = ""
    ) -> Play:
        """Begin a session; `can` is what the player says that it decodes.

        Raises `NotFound` for an unknown video, `PaymentRequired` without a plan, `Conflict` while the video cannot be
        played or, with the sessions in use as `sessions`, when all screens are taken; `Busy` when the plan cannot be
        looked up.
        """
        film = await self._film(video_id)
        entitlement = await self._entitlements.entitlement(principal)
        if entitlement is None:
            message = "Playing needs a plan, and you have none that is active."
            raise PaymentRequired(message)
        moment = self._now()
        session = Session(
            id=new_id(),
            account_id=principal.account_id,
            profile_id=profile_id,
            video_id=film.video.id,
            presentation_id=film.presentation.id,
            title=film.video.title,
            duration_seconds=film.presentation.duration_seconds,
            device=device_name(user_agent),
            screens=entitlement.screens,
            started_at=moment,
            last_seen_at=moment,
            position=0.0,
            state="playing",
            sign_in_id=principal.session_id,
            max_height=entitlement.max_height,
        )
        if not await self._screens.take(session):
            raise await self._screens_full(session)
        resume_at = await self._begin(session)
        ends = entitlement.expires_at
        ticket = self._tickets.issue(
            session_id=session.id,
            video_id=session.video_id,
            presentation_id=session.presentation_id,
            max_height=entitlement.max_height,
            until=ends.timestamp() if ends else None,
        )
        start = first_quality(film.presentation, entitlement.max_height, await self._prompt(session, resume_at))
        return Play(
            session,
            ticket,
            resume_at,
            entitlement.max_height,
            film.video,
            start,
            film.extras.shown,
            _pictured(session.presentation_id, film.extras),
            _original(film.presentation, entitlement.max_height, can),
        )

    async def _film(self, video_id: str) -> Film:
        """What there is to play: as it is, or while the database is away as it was when it was last played."""
        try:
            async with asyncio.timeout(DATABASE_WAIT_SECONDS):
                video = await self._catalog.video(video_id)
                presentation = await self._playable(video)
                film = Film(video, presentation, await self._presentations.extras(presentation.id))
        except (Busy, TimeoutError) as error:
            known = self._afloat.film(video_id)
            if known is None:
                raise _away() from error
            return known
        except (NotFound, Conflict):
            self._afloat.forget_film(video_id)
            raise
        self._afloat.keep_film(film)
        return film

    async def _prompt(self, session: Session, seconds: float) -> frozenset[str]:
        try:
            async with asyncio.timeout(DATABASE_WAIT_SECONDS):
                return await self._presentations.prompt(session.presentation_id, seconds)
        except (Busy, TimeoutError):
            return frozenset()

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
        """Write the session's row and find where its viewer left off; without the row no screen is taken either.

        While the database is away the row waits.
        """
        try:
            async with asyncio.timeout(DATABASE_WAIT_SECONDS), self._database.writing() as work:
                await SessionStore(work.connection).add(session)
                watched = await HistoryStore(work.connection).get(
                    session.account_id, session.profile_id, session.video_id
                )
        except (Busy, TimeoutError):
            resume_at = self._afloat.place(session)
            if not self._afloat.defer(session):
                await self._screens.release(session.account_id, session.id)
                raise
            self._afloat.granted()
            return resume_at
        except BaseException:
            await self._screens.release(session.account_id, session.id)
            raise
        self._afloat.keep(session)
        return watched.resume_at if watched else 0.0

    async def _screens_full(self, session: Session) -> Conflict:
        holders = await self._screens.holders(session.account_id)
        ids = [holder["session_id"] for holder in holders]
        try:
            async with asyncio.timeout(DATABASE_WAIT_SECONDS), self._database.reading() as connection:
                rows = await SessionStore(connection).open_among(ids)
        except (Busy, TimeoutError):
            rows = self._afloat.among(ids)
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
            async with asyncio.timeout(DATABASE_WAIT_SECONDS):
                session = self._known(principal, session_id) or await self._own(principal, session_id)
                if session.ended_at is None and (renewed or await self._screens.take(session)):
                    session = await self._save(session, position, state)
                    extras = await self._presentations.extras(session.presentation_id)
                    return self._beat(session, extras=extras)
        except (Busy, TimeoutError) as error:
            known = self._afloat.session(session_id)
            if known is None or known.account_id != principal.account_id:
                if not renewed:
                    raise _away() from error
                return Beat(self._screens.lease_seconds, saved=False)
            session = known
            if session.ended_at is None and (renewed or await self._screens.take(session)):
                log.info("the position of session %s waits for the database", session_id)
                session = self._reached(session, position, state)
                self._afloat.keep(session)
                self._afloat.defer(session)
                return self._beat(session)
        if session.ended_at is None:
            await self._finish(session, reason="screens")
            raise gone(reason="screens")
        await self._screens.release(session.account_id, session.id)
        raise gone(session.ended_reason)

    def _beat(self, session: Session, extras: Extras | None = None) -> Beat:
        return Beat(
            self._screens.lease_seconds,
            saved=extras is not None,
            pictured=_pictured(session.presentation_id, extras) if extras else "",
            max_height=session.max_height or None,
        )

    def _reached(self, session: Session, position: float, state: State) -> Session:
        reached = session.duration_seconds if state == "ended" else min(position, session.duration_seconds)
        return replace(session, position=reached, state=state, last_seen_at=self._now())

    async def _save(self, session: Session, position: float, state: State) -> Session:
        row = await self._beats.save(self._reached(session, position, state))
        if row is None or row.ended_at is not None:
            self._afloat.forget(session.id)
            await self._screens.release(session.account_id, session.id)
            raise gone(reason=row.ended_reason if row else "elsewhere")
        self._afloat.keep(row)
        return row

    async def end(self, principal: Principal, session_id: str, position: float | None = None) -> None:
        """End one of the caller's sessions, from whichever device; its player stood at `position`, in seconds.

        Again is no error. Raises `NotFound`.
        """
        try:
            async with asyncio.timeout(DATABASE_WAIT_SECONDS):
                session = await self._own(principal, session_id)
        except (Busy, TimeoutError) as error:
            known = self._afloat.session(session_id)
            if known is None or known.account_id != principal.account_id:
                raise _away() from error
            session = known
        await self._finish(session, position)

    async def _finish(self, session: Session, position: float | None = None, *, reason: Reason = "elsewhere") -> None:
        """End the session wholly, even when whoever asked is gone before the answer, as a closing page is."""
        task = asyncio.create_task(self._end(session, position, reason))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        await asyncio.shield(task)

    async def _end(self, session: Session, position: float | None, reason: Reason) -> None:
        try:
            async with asyncio.timeout(DATABASE_WAIT_SECONDS):
                if position is not None and session.ended_at is None:
                    with suppress(Gone):  # ended from elsewhere meanwhile: where it stood then is kept
                        session = await self._save(session, position, "paused")
                async with self._database.writing() as work:
                    await self._afloat.settle(work, session.id)
                    await SessionStore(work.connection).end(session.id, self._now(), reason)
        except (Busy, TimeoutError):
            if position is not None:
                session = self._reached(session, position, "paused")
            if not self._afloat.defer(replace(session, ended_at=session.ended_at or self._now(), ended_reason=reason)):
                raise
        else:
            self._afloat.forget(session.id)
        self._tickets.revoke(session.id)
        await self._screens.release(session.account_id, session.id)

    def _known(self, principal: Principal, session_id: str) -> Session | None:
        """A session of the caller's that this process knows; whether it goes on says its row when it is written."""
        known = self._afloat.session(session_id)
        if known is None or known.account_id != principal.account_id:
            return None
        unwritten = known.ended_at is None and self._afloat.is_waiting(session_id)
        return None if unwritten else known

    async def _own(self, principal: Principal, session_id: str) -> Session:
        async with self._database.reading() as connection:
            session = await SessionStore(connection).get(session_id)
        if session is None and self._afloat.is_waiting(session_id):  # the database is only just back
            await self._afloat.write(self._database)
            session = self._afloat.session(session_id)
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


def _away() -> Busy:
    return Busy("This cannot be looked up at the moment; try again shortly.")
