"""Signed-in devices: what starts one, renews it and ends it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ottserver.accounts.models import Account, AccountSettings, Session, SignedIn, device_name
from ottserver.accounts.revocations import Revocations
from ottserver.accounts.store import AccountStore, SessionStore
from ottserver.accounts.tokens import AccessTokens, new_refresh_token, token_digest
from ottserver.clock import utcnow
from ottserver.errors import NotAuthenticated, NotFound
from ottserver.events import DevicesSignedOut
from ottserver.ids import new_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ottserver.backends.cache import Cache
    from ottserver.backends.database import Database, UnitOfWork
    from ottserver.identity import Principal

DEVICES_LIMIT = 50
"""Signed-in devices of one account; one more signs out the one that was used longest ago."""
ENDED_KEPT = timedelta(days=1)
SWEEP_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Change:
    """One transaction on accounts and sessions."""

    work: UnitOfWork
    accounts: AccountStore
    sessions: SessionStore
    ended: list[str] = field(default_factory=list)
    """Sessions that this transaction ends."""

    async def end(self, account_id: str, session_ids: list[str]) -> None:
        """End these sessions of one account."""
        if not session_ids:
            return
        await self.sessions.end(session_ids, utcnow())
        self.ended.extend(session_ids)
        await self.work.announce(DevicesSignedOut(account_id, tuple(session_ids)))

    async def end_all(self, account_id: str, *, but: str = "") -> None:
        """End the account's sessions, perhaps all but one."""
        held = await self.sessions.of_account(account_id)
        await self.end(account_id, [s.id for s in held if s.id != but and s.ended_at is None])


class Sessions:
    """Starts, renews and ends sessions, and says whose an access token is."""

    def __init__(self, database: Database, cache: Cache, settings: AccountSettings) -> None:
        """Prepare; `open` before use."""
        self._database = database
        self._settings = settings
        self._life = timedelta(days=settings.refresh_token_days)
        self._tokens = AccessTokens((settings.secret,), settings.access_token_seconds)
        self._revocations = Revocations(database, cache, settings.access_token_seconds)
        self._swept_at: datetime | None = None

    async def open(self) -> None:
        """Learn which sessions ended shortly before this start."""
        await self._revocations.load()

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Change]:
        """A transaction; the access tokens of the sessions it ends are refused once it has committed."""
        async with self._database.writing() as work:
            change = Change(work, AccountStore(work.connection), SessionStore(work.connection))
            yield change
        await self._revocations.add(change.ended)

    async def start(self, change: Change, account: Account, user_agent: str) -> SignedIn:
        """Sign the account in on a device, within the transaction."""
        now = utcnow()
        await self._sweep(change, now)
        live = await change.sessions.live(account.id, now - self._life)
        await change.end(account.id, [session.id for session in live[DEVICES_LIMIT - 1 :]])
        session = Session(new_id(), account.id, device_name(user_agent), now, now, None)
        await change.sessions.add(session)
        return await self._issue(change, account, session.id, now)

    async def _sweep(self, change: Change, now: datetime) -> None:
        if self._swept_at and now - self._swept_at < SWEEP_EVERY:
            return
        self._swept_at = now
        kept = max(ENDED_KEPT, timedelta(seconds=self._settings.access_token_seconds))
        await change.sessions.forget(ended_before=now - kept, unused_since=now - self._life - kept)

    async def _issue(self, change: Change, account: Account, session_id: str, now: datetime) -> SignedIn:
        refresh_token = new_refresh_token()
        await change.sessions.add_token(token_digest(refresh_token), session_id, now + self._life)
        token = self._tokens.issue(account.id, account.role, session_id)
        return SignedIn(account.id, token, refresh_token, self._settings.access_token_seconds)

    async def refresh(self, refresh_token: str) -> SignedIn:
        """Trade a refresh token for new tokens, in the account's present role.

        A token works once. A second use means that two parties hold it, so its whole session ends (RFC 9700, section
        4.14.2). Raises `NotAuthenticated`.
        """
        digest = token_digest(refresh_token)
        renewed: SignedIn | None = None
        message = "The refresh token is not, or no longer, good; sign in again."
        async with self.changing() as change:
            now = utcnow()
            known = await change.sessions.token(digest)
            if known is None or known.session.ended_at or known.expires_at <= now:
                pass
            elif not await change.sessions.spend(digest, now):
                await change.end(known.session.account_id, [known.session.id])
                message = "The refresh token was used before, so its session has been ended; sign in again."
            elif account := await change.accounts.get(known.session.account_id):
                await change.sessions.used(known.session.id, now)
                renewed = await self._issue(change, account, known.session.id, now)
        if renewed is None:
            raise NotAuthenticated(message)
        return renewed

    async def authenticate(self, token: str) -> Principal:
        """Whose access token this is. Raises `NotAuthenticated` when it is forged or expired, or its session ended."""
        principal = self._tokens.read(token)
        if await self._revocations.has(principal.session_id):
            raise _ended()
        return principal

    async def sign_out(self, principal: Principal) -> None:
        """End the caller's own session. Raises `NotAuthenticated` when that has happened at the same moment."""
        try:
            await self.end(principal.account_id, principal.session_id)
        except NotFound as error:
            raise _ended() from error

    async def signed_out(self, fact: DevicesSignedOut) -> None:
        """Refuse the access tokens of devices that another process has signed out. Doing it again does nothing.

        A command beside the server has a cache of its own.
        """
        await self._revocations.add(fact.session_ids)

    async def live(self, account_id: str) -> list[Session]:
        """The account's signed-in devices, the one used last first."""
        async with self._database.reading() as connection:
            return await SessionStore(connection).live(account_id, utcnow() - self._life)

    async def remembered(self, account_id: str) -> list[Session]:
        """Every session of the account of which anything is still held."""
        async with self._database.reading() as connection:
            return await SessionStore(connection).of_account(account_id)

    async def end(self, account_id: str, session_id: str) -> None:
        """Sign one device of the account out. Raises `NotFound` when it is not signed in."""
        async with self.changing() as change:
            session = await change.sessions.get(session_id)
            if session is None or session.account_id != account_id or session.ended_at:
                message = "No device of yours is signed in under this id."
                raise NotFound(message)
            await change.end(account_id, [session_id])

    async def end_by_refresh_token(self, refresh_token: str) -> None:
        """Sign out the device that holds this refresh token. Raises `NotAuthenticated` when it is no longer good."""
        async with self.changing() as change:
            known = await change.sessions.token(token_digest(refresh_token))
            if known is None or known.session.ended_at:
                message = "The refresh token is not, or no longer, good."
                raise NotAuthenticated(message)
            await change.end(known.session.account_id, [known.session.id])


def _ended() -> NotAuthenticated:
    return NotAuthenticated("This session has been ended; sign in again.")
