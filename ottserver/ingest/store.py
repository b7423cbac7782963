"""The tables of uploads and sources, and all SQL on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from ottserver.backends.database.schema import ID, UtcDateTime, metadata
from ottserver.clock import utcnow
from ottserver.ids import new_id
from ottserver.ingest.models import Source, Upload, blob_key
from ottserver.media import SourceReport

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from ottserver.ingest.models import SourcePhase, UploadPhase

uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("account_id", ID, nullable=False),
    sa.Column("length", sa.BigInteger, nullable=False),
    sa.Column("metadata", sa.Text, nullable=False),
    sa.Column("filename", sa.String(255), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("reason", sa.Text),
    sa.Column("sha256", sa.String(64)),
    sa.Column("source_id", ID, index=True),
    sa.Column("claimed_at", UtcDateTime),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)

sources = sa.Table(
    "sources",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("blob_key", sa.String(255), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("reason", sa.Text),
    sa.Column("report", sa.Text),
    sa.Column("created_at", UtcDateTime, nullable=False),
)
"""A removed source keeps its row, so that the same bytes become the same source again and its facts stay in order."""

_reports = TypeAdapter(SourceReport)


def _upload(row: sa.Row[Any]) -> Upload:
    return Upload(
        id=row.id,
        account_id=row.account_id,
        length=row.length,
        metadata=row.metadata,
        filename=row.filename,
        state=row.state,
        reason=row.reason,
        sha256=row.sha256,
        source_id=row.source_id,
        claimed=row.claimed_at is not None,
        expires_at=row.expires_at,
    )


def _source(row: sa.Row[Any]) -> Source:
    return Source(
        id=row.id,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        blob_key=row.blob_key,
        state=row.state,
        reason=row.reason,
        report=None if row.report is None else _reports.validate_json(row.report),
    )


async def add_upload(connection: AsyncConnection, upload: Upload) -> None:
    """Remember a new upload."""
    await connection.execute(
        uploads.insert().values(
            id=upload.id,
            account_id=upload.account_id,
            length=upload.length,
            metadata=upload.metadata,
            filename=upload.filename,
            state=upload.state,
            reason=upload.reason,
            expires_at=upload.expires_at,
            created_at=utcnow(),
        )
    )


async def upload(connection: AsyncConnection, upload_id: str) -> Upload | None:
    """The upload, or nothing."""
    row = (await connection.execute(sa.select(uploads).where(uploads.c.id == upload_id))).first()
    return None if row is None else _upload(row)


async def unfinished_count(connection: AsyncConnection, account_id: str) -> int:
    """How many uploads the account has begun and not finished."""
    query = sa.select(sa.func.count()).where(uploads.c.account_id == account_id, uploads.c.state == "receiving")
    return await connection.scalar(query) or 0


async def promised(connection: AsyncConnection, now: datetime) -> dict[str, int]:
    """The uploads that may still be continued, and the bytes that each has in all."""
    alive = sa.and_(uploads.c.state == "receiving", uploads.c.expires_at > now)
    found = await connection.execute(sa.select(uploads.c.id, uploads.c.length).where(alive))
    return {row.id: row.length for row in found}


async def change_upload(
    connection: AsyncConnection, upload_id: str, *, only_from: tuple[UploadPhase, ...], **values: object
) -> bool:
    """Set columns if the upload is in one of these states; whether it was."""
    query = uploads.update().where(uploads.c.id == upload_id, uploads.c.state.in_(only_from)).values(**values)
    return (await connection.execute(query)).rowcount > 0


async def prolong_upload(connection: AsyncConnection, upload_id: str, now: datetime, expires_at: datetime) -> bool:
    """Let an unfinished upload that has not expired live on; whether it was one."""
    alive = sa.and_(uploads.c.id == upload_id, uploads.c.state == "receiving", uploads.c.expires_at > now)
    return (await connection.execute(uploads.update().where(alive).values(expires_at=expires_at))).rowcount > 0


async def uploads_in(connection: AsyncConnection, state: UploadPhase, limit: int) -> list[str]:
    """Ids of uploads in that state, oldest first."""
    query = sa.select(uploads.c.id).where(uploads.c.state == state).order_by(uploads.c.id).limit(limit)
    return list((await connection.scalars(query)).all())


async def staged(connection: AsyncConnection, upload_ids: list[str]) -> set[str]:
    """Those of the uploads whose bytes belong into the staging folder."""
    query = sa.select(uploads.c.id).where(uploads.c.id.in_(upload_ids), uploads.c.state.in_(("receiving", "received")))
    return set((await connection.scalars(query)).all())


async def expired_uploads(connection: AsyncConnection, now: datetime, limit: int) -> list[Upload]:
    """Uploads whose time is over: unfinished ones, and finished ones of which no video was made."""
    over = sa.or_(
        uploads.c.state == "receiving",
        sa.and_(uploads.c.state.in_(("stored", "failed")), uploads.c.claimed_at.is_(None)),
    )
    query = sa.select(uploads).where(over, uploads.c.expires_at <= now).order_by(uploads.c.expires_at).limit(limit)
    return [_upload(row) for row in (await connection.execute(query)).all()]


async def forget_gone_uploads(connection: AsyncConnection, before: datetime) -> None:
    """Drop the rows of uploads that ended before that moment."""
    await connection.execute(uploads.delete().where(uploads.c.state == "gone", uploads.c.expires_at < before))


async def uploads_of(connection: AsyncConnection, source_id: str) -> list[str]:
    """Ids of the uploads that brought this source."""
    return list((await connection.scalars(sa.select(uploads.c.id).where(uploads.c.source_id == source_id))).all())


async def is_awaited(connection: AsyncConnection, source_id: str, now: datetime) -> bool:
    """Whether an upload that brought this source may still become a video, or is still on its way into the store."""
    open_claim = sa.and_(uploads.c.state == "stored", uploads.c.claimed_at.is_(None), uploads.c.expires_at > now)
    query = sa.select(sa.func.count()).where(
        uploads.c.source_id == source_id, sa.or_(uploads.c.state == "received", open_claim)
    )
    return bool(await connection.scalar(query))


async def source(connection: AsyncConnection, source_id: str) -> Source | None:
    """The source, or nothing."""
    row = (await connection.execute(sa.select(sources).where(sources.c.id == source_id))).first()
    return None if row is None else _source(row)


async def sources_in(connection: AsyncConnection, state: SourcePhase, limit: int) -> list[str]:
    """Ids of sources in that state, oldest first."""
    query = sa.select(sources.c.id).where(sources.c.state == state).order_by(sources.c.id).limit(limit)
    return list((await connection.scalars(query)).all())


async def expect_source(connection: AsyncConnection, sha256: str, size_bytes: int) -> Source:
    """The source with this hash; one that is new, or was removed, is `arriving` from now on."""
    row = (await connection.execute(sa.select(sources).where(sources.c.sha256 == sha256))).first()
    if row is None:
        values = {"id": new_id(), "sha256": sha256, "size_bytes": size_bytes, "blob_key": blob_key(sha256)}
        await connection.execute(sources.insert().values(state="arriving", created_at=utcnow(), **values))
    elif row.state == "removed":
        await connection.execute(sources.update().where(sources.c.id == row.id).values(state="arriving"))
    return _source((await connection.execute(sa.select(sources).where(sources.c.sha256 == sha256))).one())


async def change_source(
    connection: AsyncConnection,
    source_id: str,
    state: SourcePhase,
    *,
    only_from: tuple[SourcePhase, ...],
    reason: str | None = None,
    report: SourceReport | None = None,
) -> bool:
    """Move the source to `state` if it is in one of those; whether it was."""
    query = (
        sources.update()
        .where(sources.c.id == source_id, sources.c.state.in_(only_from))
        .values(state=state, reason=reason, report=None if report is None else _reports.dump_json(report).decode())
    )
    return (await connection.execute(query)).rowcount > 0
