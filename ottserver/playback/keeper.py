"""What keeps sessions true without anybody calling: after a restart, for silent players, when others leave.

A player that only fetches segments (a plain HLS player on a TV) counts as alive by what it fetches. One that neither
fetches nor says anything loses its screen with its lease, and its session a while later. What changes about an account
reaches its players at once by facts, and in any case at the next review of all that play.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from ottserver.clock import utcnow
from ottserver.errors import Busy, OttError
from ottserver.playback.store import HistoryStore, SessionStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from ottserver.backends.database import Database
    from ottserver.events import (
        AccountDeleted,
        AccountDisabled,
        DevicesSignedOut,
        SubscriptionChanged,
        VideoRemoved,
    )
    from ottserver.playback.afloat import Afloat
    from ottserver.playback.models import Reason, Session
    from ottserver.playback.needs import Entitlement, Standings, Tickets
    from ottserver.playback.screens import Screens

log = logging.getLogger(__name__)

SILENCE_SECONDS = 600.0
"""After this long without a word a session ends: a paused TV player has been left, a laptop was shut."""
ENDED_KEPT = timedelta(days=7)
BATCH = 500
RESTORED_LIMIT = 20_000
REVOKED_LIMIT = 200_000
REVIEW_SECONDS = 40.0
"""How often what accounts may play is asked again for all that play: with a tend's gap, within a minute."""
LOWERED_AFTER_SECONDS = 25.0
"""A player hears of a lower class at its next heartbeat, and goes on with what it has asked for until then."""
DATABASE_WAIT_SECONDS = 2.0


class Activity(Protocol):
    """What playback needs of delivery to notice players that send no heartbeats."""

    def take_active(self) -> set[str]:
        """The sessions that have fetched media since this was last asked."""
        ...


class Keeper:
    """Tends the sessions of one process."""

    def __init__(
        self,
        database: Database,
        screens: Screens,
        *,
        tickets: Tickets,
        activity: Activity,
        standings: Standings,
        afloat: Afloat,
        every_seconds: float,
        now: Callable[[], datetime] = utcnow,
    ) -> None:
        """Look after sessions `every_seconds`; a revocation lives as long as a ticket."""
        self._database = database
        self._screens = screens
        self._tickets = tickets
        self._activity = activity
        self._standings = standings
        self._afloat = afloat
        self._reviewed_at: datetime | None = None
        self._every = every_seconds
        self._ticket = timedelta(seconds=tickets.lifetime_seconds)
        self._silence = timedelta(seconds=max(SILENCE_SECONDS, 4 * screens.lease_seconds))
        self._now = now

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Restore what a restart has lost, then tend sessions while the context lasts."""
        await self.restore()
        task = asyncio.create_task(self._tend_for_ever())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def restore(self) -> None:
        """Give screens back to players that were alive a moment ago, and refuse the tickets of ended sessions again."""
        moment = self._now()
        lease = timedelta(seconds=self._screens.lease_seconds)
        async with self._database.reading() as connection:
            store = SessionStore(connection)
            alive = await store.seen_since(moment - lease, RESTORED_LIMIT)
            ended = await store.ended_since(moment - self._ticket, REVOKED_LIMIT)
        for session in alive:
            await self._screens.take(session)
            if session.max_height:  # its ticket may be older than a change of the plan
                self._tickets.limit(session.id, session.max_height)
        for session_id in ended:
            self._tickets.revoke(session_id)

    async def _tend_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.tend()
            except OttError as error:
                log.warning("sessions could not be tended, trying again in %s s: %s", self._every, error)
            except Exception:
                log.exception("sessions could not be tended, trying again in %s s", self._every)

    async def tend(self) -> None:
        """Keep the screens of those who fetch, end those who have long been silent, forget those long ended."""
        active = sorted(self._activity.take_active())
        for start in range(0, len(active), BATCH):
            await self._keep(active[start : start + BATCH])
        await self._afloat.write(self._database)
        moment = self._now()
        if self._reviewed_at is None or moment - self._reviewed_at >= timedelta(seconds=REVIEW_SECONDS):
            await self._review_all()
            self._reviewed_at = moment
        async with self._database.reading() as connection:
            store = SessionStore(connection)
            silent = await store.silent_since(moment - self._silence, BATCH)
            old = await store.long_ended(moment - ENDED_KEPT, BATCH)
        if silent:
            await self._end(((session, session.last_seen_at) for session in silent), "silent")
        if old:
            async with self._database.writing() as work:
                await SessionStore(work.connection).forget(old)

    async def _keep(self, ids: list[str]) -> None:
        """Renew the leases of sessions that fetch; one that gets no screen back has no right to go on."""
        moment = self._now()
        try:
            async with asyncio.timeout(DATABASE_WAIT_SECONDS), self._database.reading() as connection:
                sessions = await SessionStore(connection).open_among(ids)
        except (Busy, TimeoutError):
            for session in self._afloat.among(ids):
                if not await self._screens.renew(session.account_id, session.id):
                    await self._screens.take(session)
            return
        kept: list[str] = []
        surplus: list[Session] = []
        for session in sessions:
            if await self._screens.renew(session.account_id, session.id) or await self._screens.take(session):
                kept.append(session.id)
            else:
                surplus.append(session)
        unheard = moment - timedelta(seconds=self._screens.lease_seconds)
        quiet = {session.id for session in sessions if session.last_seen_at < unheard}
        if silent := [session_id for session_id in kept if session_id in quiet]:
            async with self._database.writing() as work:
                await SessionStore(work.connection).seen(silent, moment)
        if surplus:
            await self._end(((session, moment) for session in surplus), "screens")

    async def _end(self, sessions: Iterable[tuple[Session, datetime]], reason: Reason) -> None:
        ended: list[Session] = []
        async with self._database.writing() as work:
            for session, at in sessions:
                if await SessionStore(work.connection).end(session.id, at, reason):
                    ended.append(session)
        await self._shut_out(ended)

    async def _shut_out(self, sessions: Iterable[Session]) -> None:
        for session in sessions:
            self._afloat.forget(session.id)
            self._tickets.revoke(session.id)
            await self._screens.release(session.account_id, session.id)

    async def _review_all(self) -> None:
        """Ask for all accounts that play what they may play."""
        last = ""
        while True:
            async with self._database.reading() as connection:
                accounts = await SessionStore(connection).playing_accounts(last, BATCH)
            if not accounts:
                return
            await self._review(accounts)
            last = accounts[-1]

    async def _review(self, account_ids: list[str]) -> None:
        """Let what these accounts may play now hold for what they are playing."""
        entitled = await self._standings.entitlements(account_ids)
        async with self._database.reading() as connection:
            sessions = await SessionStore(connection).open_of_accounts(account_ids)
        moment = self._now()
        await self._end(((s, moment) for s in sessions if s.account_id not in entitled), "plan")
        changed = [s for s in sessions if (plan := entitled.get(s.account_id)) is not None and _allows_other(plan, s)]
        for session in changed:
            plan = entitled[session.account_id]
            most = min(plan.max_height, session.max_height or plan.max_height)
            async with self._database.writing() as work:
                await SessionStore(work.connection).lower(session.id, most, plan.screens)
            self._tickets.limit(session.id, most, after_seconds=LOWERED_AFTER_SECONDS)
        by_id = {session.id: session for session in sessions}
        for account_id in {s.account_id for s in changed if entitled[s.account_id].screens < s.screens}:
            holders = [holder["session_id"] for holder in await self._screens.holders(account_id)]
            surplus = [by_id[held] for held in holders[entitled[account_id].screens :] if held in by_id]
            await self._end(((session, moment) for session in surplus), "screens")

    async def subscription_changed(self, fact: SubscriptionChanged) -> None:
        """Let the account's plan hold for what it plays. Doing it again does nothing."""
        await self._review([fact.account_id])

    async def account_disabled(self, fact: AccountDisabled) -> None:
        """End what the account plays. Doing it again does nothing."""
        async with self._database.reading() as connection:
            playing = await SessionStore(connection).open_of(account_id=fact.account_id)
        moment = self._now()
        await self._end(((session, moment) for session in playing), "disabled")

    async def signed_out(self, fact: DevicesSignedOut) -> None:
        """End what these devices play. Doing it again does nothing."""
        async with self._database.reading() as connection:
            playing = await SessionStore(connection).open_of(account_id=fact.account_id)
        moment = self._now()
        there = set(fact.session_ids)
        await self._end(((session, moment) for session in playing if session.sign_in_id in there), "signed-out")

    async def account_deleted(self, fact: AccountDeleted) -> None:
        """End what the account plays and forget what it watched. Doing it again does nothing."""
        moment = self._now()
        async with self._database.reading() as connection:
            playing = await SessionStore(connection).open_of(account_id=fact.account_id)
        await self._end(((session, moment) for session in playing), "disabled")
        async with self._database.writing() as work:
            await SessionStore(work.connection).anonymise(fact.account_id, moment)
            await HistoryStore(work.connection).erase(account_id=fact.account_id)

    async def video_removed(self, fact: VideoRemoved) -> None:
        """End whatever plays the video and forget who watched it. Doing it again does nothing."""
        moment = self._now()
        async with self._database.reading() as connection:
            playing = await SessionStore(connection).open_of(video_id=fact.video_id)
        await self._end(((session, moment) for session in playing), "removed")
        async with self._database.writing() as work:
            await HistoryStore(work.connection).erase(video_id=fact.video_id)


def _allows_other(plan: Entitlement, session: Session) -> bool:
    """Whether the plan allows less height, or another number of screens, than the session was told."""
    return not session.max_height or plan.max_height < session.max_height or plan.screens != session.screens
