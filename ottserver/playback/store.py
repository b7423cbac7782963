"""The tables of playback sessions and of what was watched. Nothing else touches them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ottserver.backends.database.schema import ID, UtcDateTime, metadata
from ottserver.playback.models import Session, Watched, resume_position

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from typing import Any

    from sqlalchemy.ext.asyncio import AsyncConnection

    from ottserver.playback.models import Reason

HISTORY_LIMIT = 2_000
"""Videos remembered for one account; the longest unwatched one makes room."""

sessions = sa.Table(
    "playback_sessions",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("account_id", ID, nullable=False, index=True),
    sa.Column("profile_id", ID, nullable=False),
    sa.Column("video_id", ID, nullable=False, index=True),
    sa.Column("presentation_id", sa.String(32), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("duration_seconds", sa.Double, nullable=False),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("screens", sa.Integer, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("last_seen_at", UtcDateTime, nullable=False),
    sa.Column("position", sa.Double, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("ended_at", UtcDateTime, nullable=True),
    sa.Column("sign_in_id", ID, nullable=False, server_default="unknown"),
    sa.Column("max_height", sa.Integer, nullable=False, server_default="0"),
    sa.Column("ended_reason", sa.String(16), nullable=False, server_default="elsewhere"),
    sa.Index(None, "ended_at", "last_seen_at"),
)

history = sa.Table(
    "playback_history",
    metadata,
    sa.Column("account_id", ID, primary_key=True),
    sa.Column("profile_id", ID, primary_key=True),
    sa.Column("video_id", ID, primary_key=True, index=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("position", sa.Double, nullable=False),
    sa.Column("duration_seconds", sa.Double, nullable=False),
    sa.Column("resume_at", sa.Double, nullable=False),
    sa.Column("watched_at", UtcDateTime, nullable=False),
    sa.Index(None, "account_id", "watched_at"),
)

_OPEN = sessions.c.ended_at.is_(None)
_BEATEN = ("position", "state", "last_seen_at")


def _session(row: Any) -> Session:  # noqa: ANN401 - a row's columns are known to SQLAlchemy alone
    return Session(**row._mapping)  # noqa: SLF001 - the documented name


def _watched(row: Any) -> Watched:  # noqa: ANN401 - a row's columns are known to SQLAlchemy alone
    return Watched(
        row.video_id, row.profile_id, row.title, row.position, row.duration_seconds, row.resume_at, row.watched_at
    )


_VIEWER = ("account_id", "profile_id", "video_id")
_KEPT = ("title", "position", "duration_seconds", "resume_at", "watched_at")


def _viewer(session: Session) -> dict[str, str]:
    return {name: getattr(session, name) for name in _VIEWER}


def _kept(session: Session) -> dict[str, Any]:
    return {
        "title": session.title,
        "position": session.position,
        "duration_seconds": session.duration_seconds,
        "resume_at": resume_position(session.position, session.duration_seconds),
        "watched_at": session.last_seen_at,
    }


@dataclass(frozen=True, slots=True)
class SessionStore:
    """Playback sessions as one connection sees them."""

    connection: AsyncConnection

    async def add(self, session: Session) -> None:
        """Keep a new session."""
        await self.connection.execute(sessions.insert().values(asdict(session)))

    async def settle(self, session: Session) -> None:
        """Bring the row, which may not be there yet, to what was kept in memory; one that has ended stays as it is."""
        known = await self.get(session.id)
        if known is None:
            await self.add(session)
        elif known.ended_at is None:
            await self.beat(session)
            if session.ended_at is not None:
                await self.end(session.id, session.ended_at, session.ended_reason)

    async def get(self, session_id: str) -> Session | None:
        """The session, ended or not, or nothing."""
        row = (await self.connection.execute(sa.select(sessions).where(sessions.c.id == session_id))).one_or_none()
        return None if row is None else _session(row)

    async def open_among(self, ids: Collection[str]) -> list[Session]:
        """Those of the ids that have not ended; at most a few hundred ids at a time."""
        query = sa.select(sessions).where(sessions.c.id.in_(ids), _OPEN)
        return [_session(row) for row in await self.connection.execute(query)]

    async def open_of(self, *, account_id: str = "", video_id: str = "") -> list[Session]:
        """All sessions of an account, or of a video, that have not ended."""
        owned = sessions.c.account_id == account_id if account_id else sessions.c.video_id == video_id
        return [_session(row) for row in await self.connection.execute(sa.select(sessions).where(owned, _OPEN))]

    async def open_of_accounts(self, account_ids: Collection[str]) -> list[Session]:
        """All sessions of these accounts that have not ended; at most a few hundred accounts at a time."""
        query = sa.select(sessions).where(sessions.c.account_id.in_(account_ids), _OPEN).order_by(sessions.c.id)
        return [_session(row) for row in await self.connection.execute(query)]

    async def playing_accounts(self, after: str, limit: int) -> list[str]:
        """Ids of accounts that have sessions, in order, those behind `after`."""
        query = sa.select(sessions.c.account_id).where(_OPEN, sessions.c.account_id > after).distinct()
        return list(await self.connection.scalars(query.order_by(sessions.c.account_id).limit(limit)))

    async def seen_since(self, moment: datetime, limit: int) -> list[Session]:
        """Sessions that have not ended and were heard of since `moment`, the longest running first."""
        query = sa.select(sessions).where(_OPEN, sessions.c.last_seen_at >= moment).order_by(sessions.c.id).limit(limit)
        return [_session(row) for row in await self.connection.execute(query)]

    async def silent_since(self, moment: datetime, limit: int) -> list[Session]:
        """Sessions that have not ended and were not heard of since `moment`, the longest silent first."""
        query = sa.select(sessions).where(_OPEN, sessions.c.last_seen_at < moment)
        rows = await self.connection.execute(query.order_by(sessions.c.last_seen_at).limit(limit))
        return [_session(row) for row in rows]

    async def ended_since(self, moment: datetime, limit: int) -> list[str]:
        """Ids of sessions that ended after `moment`, the earliest first."""
        query = sa.select(sessions.c.id).where(sessions.c.ended_at >= moment)
        return list(await self.connection.scalars(query.order_by(sessions.c.ended_at).limit(limit)))

    async def beat(self, session: Session) -> bool:
        """Keep position, state and `last_seen_at`; false when the session has ended or is gone."""
        done = await self.connection.execute(
            sessions.update()
            .where(sessions.c.id == session.id, _OPEN)
            .values(position=session.position, state=session.state, last_seen_at=session.last_seen_at)
        )
        return done.rowcount > 0

    async def beat_all(self, beats: Collection[Session]) -> dict[str, Session]:
        """As `beat`, for many; their rows by id, also of those that have ended. At most a few hundred at a time."""
        change = sessions.update().where(sessions.c.id == sa.bindparam("beaten"), _OPEN)
        values: dict[str, Any] = {name: sa.bindparam(name) for name in _BEATEN}
        rows = [{"beaten": beat.id, **{name: getattr(beat, name) for name in _BEATEN}} for beat in beats]
        await self.connection.execute(change.values(values), rows)
        query = sa.select(sessions).where(sessions.c.id.in_([beat.id for beat in beats]))
        return {row.id: _session(row) for row in await self.connection.execute(query)}

    async def seen(self, ids: Collection[str], at: datetime) -> None:
        """Note that these sessions were heard of at that moment; at most a few hundred ids at a time."""
        await self.connection.execute(sessions.update().where(sessions.c.id.in_(ids), _OPEN).values(last_seen_at=at))

    async def lower(self, session_id: str, max_height: int, screens: int) -> None:
        """Note what the session's plan allows now."""
        values = {"max_height": max_height, "screens": screens}
        await self.connection.execute(sessions.update().where(sessions.c.id == session_id, _OPEN).values(values))

    async def end(self, session_id: str, at: datetime, reason: Reason) -> bool:
        """End the session; false when it had ended, or is gone."""
        values = {"ended_at": at, "ended_reason": reason}
        done = await self.connection.execute(sessions.update().where(sessions.c.id == session_id, _OPEN).values(values))
        return done.rowcount > 0

    async def forget(self, ids: Collection[str]) -> None:
        """Remove these sessions; at most a few hundred ids at a time."""
        await self.connection.execute(sessions.delete().where(sessions.c.id.in_(ids)))

    async def long_ended(self, before: datetime, limit: int) -> list[str]:
        """Ids of sessions that ended before that moment."""
        return list(
            await self.connection.scalars(sa.select(sessions.c.id).where(sessions.c.ended_at < before).limit(limit))
        )

    async def anonymise(self, account_id: str, at: datetime) -> None:
        """End all sessions of the account and forget whose they were; only that they ended must stay known."""
        await self.connection.execute(
            sessions.update()
            .where(sessions.c.account_id == account_id)
            .values(account_id="", profile_id="", device="", ended_at=sa.func.coalesce(sessions.c.ended_at, at))
        )

    async def latest(self, account_id: str, limit: int) -> list[Session]:
        """The account's sessions, the latest first."""
        query = sa.select(sessions).where(sessions.c.account_id == account_id).order_by(sessions.c.id.desc())
        return [_session(row) for row in await self.connection.execute(query.limit(limit))]


@dataclass(frozen=True, slots=True)
class HistoryStore:
    """What was watched, as one connection sees it."""

    connection: AsyncConnection

    async def keep(self, session: Session) -> None:
        """Keep how far the session's viewer got. A new video makes room by dropping the one longest unwatched."""
        values, key = _kept(session), _viewer(session)
        done = await self.connection.execute(history.update().filter_by(**key).values(values))
        if not done.rowcount:
            await self.connection.execute(history.insert().values(**key, **values))
            await self._make_room(session.account_id)

    async def keep_all(self, reached: Collection[Session]) -> None:
        """As `keep`, for many: of those that are of one viewer and video the last one counts."""
        latest = {tuple(_viewer(session).values()): session for session in reached}
        if not latest:
            return
        change = history.update().values({name: sa.bindparam(name) for name in _KEPT})
        change = change.where(*(history.c[name] == sa.bindparam(f"of_{name}") for name in _VIEWER))
        rows = [
            {**_kept(session), **{f"of_{name}": value for name, value in _viewer(session).items()}}
            for session in latest.values()
        ]
        done = await self.connection.execute(change, rows)
        if done.rowcount != len(rows):  # some have only begun
            for session in latest.values():
                await self.keep(session)

    async def _make_room(self, account_id: str) -> None:
        mine = history.c.account_id == account_id
        query = sa.select(history.c.watched_at).where(mine).order_by(history.c.watched_at.desc()).offset(HISTORY_LIMIT)
        oldest = (await self.connection.scalars(query.limit(1))).first()
        if oldest is not None:
            await self.connection.execute(history.delete().where(mine, history.c.watched_at <= oldest))

    async def get(self, account_id: str, profile_id: str, video_id: str) -> Watched | None:
        """How far a viewer got with a video, or nothing."""
        query = sa.select(history).filter_by(account_id=account_id, profile_id=profile_id, video_id=video_id)
        row = (await self.connection.execute(query)).one_or_none()
        return None if row is None else _watched(row)

    async def page(self, account_id: str, profile_id: str, *, offset: int, limit: int) -> tuple[list[Watched], int]:
        """A viewer's videos, the latest watched first, from `offset` on, and how many there are in all."""
        mine = sa.and_(history.c.account_id == account_id, history.c.profile_id == profile_id)
        total = await self.connection.scalar(sa.select(sa.func.count()).select_from(history).where(mine))
        query = sa.select(history).where(mine).order_by(history.c.watched_at.desc(), history.c.video_id)
        rows = await self.connection.execute(query.offset(offset).limit(limit))
        return [_watched(row) for row in rows], total or 0

    async def unfinished(self, account_id: str, profile_id: str, limit: int) -> list[Watched]:
        """Videos that a viewer can go on with, the latest watched first."""
        mine = sa.and_(history.c.account_id == account_id, history.c.profile_id == profile_id)
        query = sa.select(history).where(mine, history.c.resume_at > 0).order_by(history.c.watched_at.desc())
        return [_watched(row) for row in await self.connection.execute(query.limit(limit))]

    async def all_of(self, account_id: str) -> list[Watched]:
        """Everything remembered for the account, of every profile."""
        query = sa.select(history).where(history.c.account_id == account_id).order_by(history.c.watched_at.desc())
        return [_watched(row) for row in await self.connection.execute(query)]

    async def forget(self, account_id: str, profile_id: str, video_id: str) -> None:
        """Forget one video of a viewer."""
        await self.connection.execute(
            history.delete().filter_by(account_id=account_id, profile_id=profile_id, video_id=video_id)
        )

    async def erase(self, *, account_id: str = "", video_id: str = "") -> None:
        """Forget all of an account, or all about a video."""
        owned = history.c.account_id == account_id if account_id else history.c.video_id == video_id
        await self.connection.execute(history.delete().where(owned))
