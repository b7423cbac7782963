"""The tables of videos and their genres, and all SQL on them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from ottserver.backends.database.schema import ID, UtcDateTime, metadata
from ottserver.catalog.models import WATCHABLE, Category, Details, Episode, Summary, Video, slug

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

videos = sa.Table(
    "videos",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("title", sa.String(300), nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("genres", sa.JSON, nullable=False),
    sa.Column("actors", sa.JSON, nullable=False),
    sa.Column("directors", sa.JSON, nullable=False),
    sa.Column("year", sa.Integer),
    sa.Column("maturity", sa.String(20)),
    sa.Column("series", sa.JSON(none_as_null=True)),
    sa.Column("upload_id", ID, unique=True),
    sa.Column("source_id", ID, index=True),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("presentation_id", sa.String(32)),
    sa.Column("duration_seconds", sa.Float),
    sa.Column("size_bytes", sa.BigInteger),
    sa.Column("summary", sa.JSON, nullable=False),
    sa.Column("poster_key", sa.String(255)),
    sa.Column("backdrop_key", sa.String(255)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("published_at", UtcDateTime),
    sa.Column("pictures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("chosen_poster_key", sa.String(255)),
    sa.Column("chosen_backdrop_key", sa.String(255)),
    sa.Index("ix_videos_status_published_at", "status", "published_at"),
)

video_genres = sa.Table(
    "video_genres",
    metadata,
    sa.Column("video_id", ID, sa.ForeignKey("videos.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("slug", sa.String(60), primary_key=True, index=True),
    sa.Column("name", sa.String(60), nullable=False),
)

_summaries = TypeAdapter(Summary)
_watchable = videos.c.status.in_(WATCHABLE)
_newest_first = (videos.c.published_at.desc(), videos.c.id.desc())


def _video(row: sa.Row[Any]) -> Video:
    return Video(
        id=row.id,
        details=Details(
            title=row.title,
            description=row.description,
            kind=row.kind,
            genres=tuple(row.genres),
            actors=tuple(row.actors),
            directors=tuple(row.directors),
            year=row.year,
            maturity=row.maturity,
            series=None if row.series is None else Episode(**row.series),
        ),
        upload_id=row.upload_id,
        source_id=row.source_id,
        status=row.status,
        reason=row.reason,
        presentation_id=row.presentation_id,
        duration_seconds=row.duration_seconds,
        size_bytes=row.size_bytes,
        summary=_summaries.validate_python(row.summary, strict=False),
        poster_key=row.poster_key,
        backdrop_key=row.backdrop_key,
        created_at=row.created_at,
        published_at=row.published_at,
        pictures=row.pictures,
        chosen_poster_key=row.chosen_poster_key,
        chosen_backdrop_key=row.chosen_backdrop_key,
    )


def _details(details: Details) -> dict[str, object]:
    return {
        **{name: getattr(details, name) for name in ("title", "description", "kind", "year", "maturity")},
        **{name: list(getattr(details, name)) for name in ("genres", "actors", "directors")},
        "series": None if details.series is None else asdict(details.series),
    }


def _summary(summary: Summary) -> object:
    return _summaries.dump_python(summary, mode="json")


async def add(connection: AsyncConnection, video: Video) -> None:
    """Remember a new video."""
    await connection.execute(
        videos.insert().values(
            id=video.id,
            **_details(video.details),
            upload_id=video.upload_id,
            source_id=video.source_id,
            status=video.status,
            reason=video.reason,
            size_bytes=video.size_bytes,
            summary=_summary(video.summary),
            created_at=video.created_at,
        )
    )
    await _add_genres(connection, video.id, video.details)


async def _add_genres(connection: AsyncConnection, video_id: str, details: Details) -> None:
    genres = {slug(name): name for name in reversed(details.genres)}
    if genres:
        rows = [{"video_id": video_id, "slug": key, "name": name} for key, name in genres.items()]
        await connection.execute(video_genres.insert(), rows)


async def set_details(connection: AsyncConnection, video_id: str, details: Details) -> None:
    """Replace what administrators say of the video."""
    await connection.execute(videos.update().where(videos.c.id == video_id).values(**_details(details)))
    await connection.execute(video_genres.delete().where(video_genres.c.video_id == video_id))
    await _add_genres(connection, video_id, details)


async def change(
    connection: AsyncConnection, video_id: str, *, summary: Summary | None = None, **values: object
) -> None:
    """Set the summary and columns of the video."""
    if summary is not None:
        values["summary"] = _summary(summary)
    await connection.execute(videos.update().where(videos.c.id == video_id).values(**values))


async def remove(connection: AsyncConnection, video_id: str) -> None:
    """Forget the video."""
    await connection.execute(video_genres.delete().where(video_genres.c.video_id == video_id))
    await connection.execute(videos.delete().where(videos.c.id == video_id))


async def _all(connection: AsyncConnection, query: sa.Select[Any]) -> list[Video]:
    return [_video(row) for row in (await connection.execute(query)).all()]


async def find(connection: AsyncConnection, video_id: str) -> Video | None:
    """The video, or nothing."""
    found = await _all(connection, sa.select(videos).where(videos.c.id == video_id))
    return found[0] if found else None


async def of_upload(connection: AsyncConnection, upload_id: str) -> Video | None:
    """The video that is made of the upload."""
    found = await _all(connection, sa.select(videos).where(videos.c.upload_id == upload_id))
    return found[0] if found else None


async def of_source(connection: AsyncConnection, source_id: str) -> list[Video]:
    """The videos that are made of the source, oldest first."""
    return await _all(connection, sa.select(videos).where(videos.c.source_id == source_id).order_by(videos.c.id))


async def probing(connection: AsyncConnection) -> list[str]:
    """Ids of the videos whose bytes have not come, or have not been looked at."""
    return list((await connection.execute(sa.select(videos.c.id).where(videos.c.status == "probing"))).scalars())


async def uses_source(connection: AsyncConnection, source_id: str, upload_ids: Sequence[str]) -> bool:
    """Whether a video is made of the source, or of one of the uploads."""
    query = sa.select(sa.func.count()).where(
        sa.or_(videos.c.source_id == source_id, videos.c.upload_id.in_(upload_ids))
    )
    return bool(await connection.scalar(query))


async def listed(connection: AsyncConnection, offset: int, limit: int) -> tuple[list[Video], int]:
    """A page of all videos, newest first, and how many there are."""
    total = await connection.scalar(sa.select(sa.func.count()).select_from(videos)) or 0
    query = sa.select(videos).order_by(videos.c.created_at.desc(), videos.c.id.desc()).offset(offset).limit(limit)
    return await _all(connection, query), total


async def watchable(connection: AsyncConnection, video_ids: Sequence[str]) -> dict[str, Video]:
    """Those of the videos that can be played, by id."""
    found = await _all(connection, sa.select(videos).where(videos.c.id.in_(video_ids), _watchable))
    return {video.id: video for video in found}


async def newest(connection: AsyncConnection, limit: int) -> list[Video]:
    """The videos that became playable last."""
    return await _all(connection, sa.select(videos).where(_watchable).order_by(*_newest_first).limit(limit))


async def categories(
    connection: AsyncConnection, offset: int, limit: int, *, at_least: int = 1
) -> tuple[list[Category], int]:
    """A page of the genres with so many watchable videos, fullest first, and how many such genres there are."""
    count = sa.func.count().label("count")
    genres = (
        sa.select(video_genres.c.slug, sa.func.min(video_genres.c.name).label("name"), count)
        .join(videos, videos.c.id == video_genres.c.video_id)
        .where(_watchable)
        .group_by(video_genres.c.slug)
        .having(count >= at_least)
    )
    total = await connection.scalar(sa.select(sa.func.count()).select_from(genres.subquery())) or 0
    rows = await connection.execute(genres.order_by(count.desc(), video_genres.c.slug).offset(offset).limit(limit))
    return [Category(row.slug, row.name, row[2]) for row in rows.all()], total


async def in_category(connection: AsyncConnection, category: str, offset: int, limit: int) -> tuple[list[Video], int]:
    """A page of a genre's watchable videos, newest first, and how many it has."""
    chosen = (
        sa.select(videos)
        .join(video_genres, videos.c.id == video_genres.c.video_id)
        .where(video_genres.c.slug == category, _watchable)
    )
    total = await connection.scalar(sa.select(sa.func.count()).select_from(chosen.subquery())) or 0
    return await _all(connection, chosen.order_by(*_newest_first).offset(offset).limit(limit)), total
