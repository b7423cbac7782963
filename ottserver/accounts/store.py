"""The tables of accounts, signed-in devices and refresh tokens. Nothing else touches them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa

from ottserver.accounts.models import Account, Credentials, Session, email_key
from ottserver.backends.database.schema import ID, UtcDateTime, metadata
from ottserver.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from ottserver.identity import Role

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("email", sa.String(254), nullable=False),
    sa.Column("email_key", sa.String(254), nullable=False, unique=True),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("password_hash", sa.String(200), nullable=False),
    sa.Column("role", sa.String(16), nullable=False, index=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("disabled_at", UtcDateTime, nullable=True),
)


sessions = sa.Table(
    "account_sessions",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("account_id", ID, nullable=False, index=True),
    sa.Column("device", sa.String(200), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("last_used_at", UtcDateTime, nullable=False, index=True),
    sa.Column("ended_at", UtcDateTime, nullable=True, index=True),
)
"""Families of refresh tokens. `account_id` is no foreign key: an ended session outlives its account for a day."""

refresh_tokens = sa.Table(
    "account_refresh_tokens",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("session_id", ID, nullable=False, index=True),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("spent_at", UtcDateTime, nullable=True),
)


@dataclass(frozen=True, slots=True)
class AccountStore:
    """Accounts as one connection sees them."""

    connection: AsyncConnection

    async def add(self, account: Account, password_hash: str) -> None:
        """Keep a new account. Raises `Conflict` when its e-mail address has one."""
        values = {
            "id": account.id,
            "email": account.email,
            "email_key": email_key(account.email),
            "name": account.name,
            "password_hash": password_hash,
            "role": account.role,
            "created_at": account.created_at,
        }
        try:
            await self.connection.execute(accounts.insert().values(values))
        except sa.exc.IntegrityError as error:
            raise email_taken() from error

    async def get(self, account_id: str) -> Account | None:
        """The account, unless it was deleted."""
        found = await self._credentials(accounts.c.id == account_id)
        return found.account if found else None

    async def credentials(self, account_id: str) -> Credentials | None:
        """The account with its password's hash."""
        return await self._credentials(accounts.c.id == account_id)

    async def credentials_by_email(self, email: str) -> Credentials | None:
        """The account that signs in with this address, however it is spelt."""
        return await self._credentials(accounts.c.email_key == email_key(email))

    async def _credentials(self, condition: sa.ColumnElement[bool]) -> Credentials | None:
        row = (await self.connection.execute(sa.select(accounts).where(condition))).one_or_none()
        return None if row is None else Credentials(_account(row), row.password_hash)

    async def all(self) -> list[Account]:
        """Every account, oldest first."""
        rows = await self.connection.execute(sa.select(accounts).order_by(accounts.c.id))
        return [_account(row) for row in rows]

    async def page(self, *, offset: int, limit: int) -> tuple[list[Account], int]:
        """Accounts from `offset` on, oldest first, and how many there are in all."""
        total = await self.connection.scalar(sa.select(sa.func.count()).select_from(accounts))
        rows = await self.connection.execute(sa.select(accounts).order_by(accounts.c.id).offset(offset).limit(limit))
        return [_account(row) for row in rows], total or 0

    async def roles(self, ids: Collection[str]) -> dict[str, Role]:
        """The roles of those that exist and may come in; at most a few hundred ids at a time."""
        query = sa.select(accounts.c.id, accounts.c.role).where(
            accounts.c.id.in_(ids), accounts.c.disabled_at.is_(None)
        )
        return {row.id: cast("Role", row.role) for row in await self.connection.execute(query)}

    async def disable(self, account_id: str, at: datetime | None) -> None:
        """Shut the account out since `at`, or let it in again."""
        await self.connection.execute(accounts.update().where(accounts.c.id == account_id).values(disabled_at=at))

    async def change(self, account: Account, password_hash: str) -> None:
        """Keep the account's new name, address and password. Raises `Conflict` when the address is another's."""
        values = {
            "email": account.email,
            "email_key": email_key(account.email),
            "name": account.name,
            "password_hash": password_hash,
        }
        try:
            await self.connection.execute(accounts.update().where(accounts.c.id == account.id).values(values))
        except sa.exc.IntegrityError as error:
            raise email_taken() from error

    async def strengthen(self, known: Credentials, password_hash: str) -> None:
        """Replace the password's hash by a stronger one of the same password, unless it was changed meanwhile."""
        await self.connection.execute(
            accounts.update()
            .where(accounts.c.id == known.account.id, accounts.c.password_hash == known.password_hash)
            .values(password_hash=password_hash)
        )

    async def delete(self, account_id: str) -> None:
        """Forget the account."""
        await self.connection.execute(accounts.delete().where(accounts.c.id == account_id))

    async def owners(self, *, lock: bool = False) -> list[str]:
        """Ids of all owners who may come in; with `lock` their number stays as it is until the transaction ends."""
        query = sa.select(accounts.c.id).where(accounts.c.role == "owner", accounts.c.disabled_at.is_(None))
        if lock:
            query = query.with_for_update()
        return list((await self.connection.execute(query)).scalars())


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """What is known of a refresh token, found by its digest."""

    session: Session
    expires_at: datetime
    spent: bool


@dataclass(frozen=True, slots=True)
class SessionStore:
    """Signed-in devices as one connection sees them."""

    connection: AsyncConnection

    async def add(self, session: Session) -> None:
        """Keep a new session."""
        values = {
            "id": session.id,
            "account_id": session.account_id,
            "device": session.device,
            "created_at": session.created_at,
            "last_used_at": session.last_used_at,
            "ended_at": session.ended_at,
        }
        await self.connection.execute(sessions.insert().values(values))

    async def get(self, session_id: str) -> Session | None:
        """The session, unless it was forgotten."""
        row = (await self.connection.execute(sa.select(sessions).where(sessions.c.id == session_id))).one_or_none()
        return None if row is None else _session(row)

    async def live(self, account_id: str, used_since: datetime) -> list[Session]:
        """The account's sessions that can still be renewed, the one used last first."""
        rows = await self.connection.execute(
            sa.select(sessions)
            .where(
                sessions.c.account_id == account_id, sessions.c.ended_at.is_(None), sessions.c.last_used_at > used_since
            )
            .order_by(sessions.c.last_used_at.desc(), sessions.c.id.desc())
        )
        return [_session(row) for row in rows]

    async def of_account(self, account_id: str) -> list[Session]:
        """Every session of the account that is remembered, the newest first."""
        rows = await self.connection.execute(
            sa.select(sessions).where(sessions.c.account_id == account_id).order_by(sessions.c.id.desc())
        )
        return [_session(row) for row in rows]

    async def ended_since(self, moment: datetime) -> list[Session]:
        """Every session that ended after the moment."""
        rows = await self.connection.execute(sa.select(sessions).where(sessions.c.ended_at > moment))
        return [_session(row) for row in rows]

    async def end(self, session_ids: Iterable[str], now: datetime) -> None:
        """Let these sessions' refresh tokens be worth nothing from now on."""
        ids = list(session_ids)
        await self.connection.execute(
            sessions.update().where(sessions.c.id.in_(ids), sessions.c.ended_at.is_(None)).values(ended_at=now)
        )
        await self.connection.execute(refresh_tokens.delete().where(refresh_tokens.c.session_id.in_(ids)))

    async def used(self, session_id: str, now: datetime) -> None:
        """Note that the session was renewed, and forget its refresh tokens that have expired."""
        await self.connection.execute(sessions.update().where(sessions.c.id == session_id).values(last_used_at=now))
        await self.connection.execute(
            refresh_tokens.delete().where(refresh_tokens.c.session_id == session_id, refresh_tokens.c.expires_at < now)
        )

    async def erase_devices(self, account_id: str) -> None:
        """Forget what the account's devices were called."""
        await self.connection.execute(sessions.update().where(sessions.c.account_id == account_id).values(device=""))

    async def forget(self, *, ended_before: datetime, unused_since: datetime) -> None:
        """Remove sessions that ended, or were used last, before these moments, with their refresh tokens."""
        stale = sa.or_(sessions.c.ended_at < ended_before, sessions.c.last_used_at < unused_since)
        of_stale = sa.select(sessions.c.id).where(stale)
        await self.connection.execute(refresh_tokens.delete().where(refresh_tokens.c.session_id.in_(of_stale)))
        await self.connection.execute(sessions.delete().where(stale))

    async def add_token(self, digest: str, session_id: str, expires_at: datetime) -> None:
        """Keep a new refresh token of the session."""
        await self.connection.execute(
            refresh_tokens.insert().values(digest=digest, session_id=session_id, expires_at=expires_at, spent_at=None)
        )

    async def token(self, digest: str) -> RefreshToken | None:
        """The refresh token with its session, or nothing when there never was one, or its session is over."""
        row = (
            await self.connection.execute(
                sa.select(sessions, refresh_tokens.c.expires_at, refresh_tokens.c.spent_at)
                .join_from(refresh_tokens, sessions, sessions.c.id == refresh_tokens.c.session_id)
                .where(refresh_tokens.c.digest == digest)
            )
        ).one_or_none()
        return None if row is None else RefreshToken(_session(row), row.expires_at, row.spent_at is not None)

    async def spend(self, digest: str, now: datetime) -> bool:
        """Use up the refresh token; false when somebody has done so already. Of two at once exactly one hears true."""
        result = await self.connection.execute(
            refresh_tokens.update()
            .where(refresh_tokens.c.digest == digest, refresh_tokens.c.spent_at.is_(None))
            .values(spent_at=now)
        )
        return result.rowcount == 1


def email_taken() -> Conflict:
    """What a person hears whose address has an account."""
    return Conflict("This e-mail address has an account already; sign in instead.")


def _account(row: sa.Row[Any]) -> Account:
    return Account(row.id, row.email, row.name, cast("Role", row.role), row.created_at, row.disabled_at)


def _session(row: sa.Row[Any]) -> Session:
    return Session(row.id, row.account_id, row.device, row.created_at, row.last_used_at, row.ended_at)
