"""SQL of the transcode room: one row per source that has been planned."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa
from pydantic import TypeAdapter

from ottserver.backends.database.schema import ID, UtcDateTime, metadata
from ottserver.clock import utcnow
from ottserver.media import TextTrack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

State = Literal["playable", "complete", "failed"]

_TRACK: TypeAdapter[TextTrack] = TypeAdapter(TextTrack)
_LONG = sa.Text(2**24 - 1)
# A day's film has some hundred thousand boundaries: more than MySQL's plain TEXT holds.

presentations = sa.Table(
    "presentations",
    metadata,
    sa.Column("source_id", ID, primary_key=True),
    sa.Column("id", sa.String(32), nullable=False, index=True),
    sa.Column("source_key", sa.String(512), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("plan", _LONG, nullable=False),
    sa.Column("presentation", _LONG, nullable=False),
    sa.Column("inits", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("reason", sa.Text, nullable=True),
    sa.Column("artwork", sa.Boolean, nullable=False),
    sa.Column("extras", _LONG, nullable=True),
    sa.Column("damage", _LONG, nullable=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
)
"""`presentation` is empty where `state` is failed; `inits` has digests of init segments; `artwork`:
whether pictures were made as earlier versions did.

`extras` is what was made beside the segments; `damage` names the segments that could not be made, with reasons."""


sidecars = sa.Table(
    "sidecars",
    metadata,
    sa.Column("source_id", ID, primary_key=True),
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("track", sa.Text, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)
"""Subtitles that were brought as files of their own; `track` is a `TextTrack` as JSON."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One row."""

    source_id: str
    id: str
    source_key: str
    sha256: str
    plan: str
    presentation: str
    inits: Mapping[str, str]
    state: State
    reason: str | None
    artwork: bool
    extras: str | None = None
    """`Extras` as JSON; nothing while none was made."""
    damage: str | None = None
    """JSON: by rendition, by segment number, the reason in words."""


_COLUMNS = [column for column in presentations.c if column.name != "created_at"]


def _stored(row: sa.Row[tuple[object, ...]]) -> Stored:
    fields = dict(row._mapping)  # noqa: SLF001 - public in SQLAlchemy, the underscore keeps column names free
    return Stored(**{**fields, "inits": json.loads(fields["inits"])})


def damage_of(row: Stored) -> dict[str, dict[int, str]]:
    """Segments that could not be made, by rendition and index, with reasons in words."""
    found = json.loads(row.damage or "{}")
    return {name: {int(index): reason for index, reason in marked.items()} for name, marked in found.items()}


async def keep_damage(connection: AsyncConnection, presentation_id: str, damage: dict[str, dict[int, str]]) -> None:
    """Write which segments could not be made."""
    left = {name: marked for name, marked in damage.items() if marked}
    reasons = [
        f"Segment {index} of {name} could not be made: {reason}"
        for name, marked in left.items()
        for index, reason in marked.items()
    ]
    await connection.execute(
        sa.update(presentations)
        .where(presentations.c.id == presentation_id)
        .values(damage=json.dumps(left) if left else None, reason=reasons[0] if reasons else None)
    )


async def save(connection: AsyncConnection, stored: Stored) -> None:
    """Write the row, in place of one that the source has already."""
    await connection.execute(sa.delete(presentations).where(presentations.c.source_id == stored.source_id))
    values = {column.name: getattr(stored, column.name) for column in _COLUMNS}
    values["inits"] = json.dumps(dict(stored.inits))
    await connection.execute(sa.insert(presentations).values(**values, created_at=utcnow()))


async def of_source(connection: AsyncConnection, source_id: str) -> Stored | None:
    """The row of a source."""
    found = await connection.execute(sa.select(*_COLUMNS).where(presentations.c.source_id == source_id))
    row = found.one_or_none()
    return None if row is None else _stored(row)


async def of_presentation(connection: AsyncConnection, presentation_id: str) -> list[Stored]:
    """The rows of a presentation that can be played: one per source with the same bytes."""
    query = sa.select(*_COLUMNS).where(presentations.c.id == presentation_id, presentations.c.state != "failed")
    return [_stored(row) for row in await connection.execute(query.order_by(presentations.c.source_id))]


async def unfinished(connection: AsyncConnection) -> list[str]:
    """Ids of presentations with work left, in the order in which their sources came.

    Among them are complete ones some of whose extras are not there, be it that there will never be any.
    """
    pictures = _in_json(presentations.c.extras, "storyboard")
    words = sa.and_(
        _in_json(presentations.c.extras, "text").is_(None),
        _in_json(presentations.c.plan, "report", "subtitles", 0).is_not(None),
    )
    left = sa.or_(presentations.c.state == "playable", pictures.is_(None), words)
    query = sa.select(presentations.c.id).where(presentations.c.state != "failed", left)
    found = await connection.execute(query.order_by(presentations.c.source_id))
    return list(dict.fromkeys(found.scalars()))


def _in_json(column: sa.Column[str] | sa.Column[str | None], *path: str | int) -> sa.ColumnElement[str | None]:
    """A value inside a column of JSON text: read where the row is, as a plan is long."""
    value: sa.ColumnElement[str | None] = sa.type_coerce(column, sa.JSON)[path].as_string()
    return value


async def encoders_in_use(connection: AsyncConnection) -> dict[str, str | None]:
    """By source, the encoder that a presentation whose segments are not all made was planned with.

    Nothing where its plan is older than the choice.
    """
    encoder = _in_json(presentations.c.plan, "encoder")
    query = sa.select(presentations.c.source_id, encoder).where(presentations.c.state == "playable")
    found = await connection.execute(query.order_by(presentations.c.source_id))
    return {row.source_id: row[1] for row in found}


async def complete(connection: AsyncConnection, presentation_id: str) -> list[str]:
    """Turn playable rows into complete ones; the sources for which that is news."""
    chosen = sa.and_(presentations.c.id == presentation_id, presentations.c.state == "playable")
    sources = list((await connection.execute(sa.select(presentations.c.source_id).where(chosen))).scalars())
    await connection.execute(sa.update(presentations).where(chosen).values(state="complete", reason=None))
    return sources


async def keep_extras(connection: AsyncConnection, presentation_id: str, extras: str) -> list[str]:
    """Write what has been made beside the segments; the sources of the presentation."""
    chosen = presentations.c.id == presentation_id
    await connection.execute(sa.update(presentations).where(chosen).values(extras=extras))
    return list((await connection.execute(sa.select(presentations.c.source_id).where(chosen))).scalars())


async def note(connection: AsyncConnection, presentation_id: str, reason: str) -> None:
    """Keep why a part of the presentation could not be made."""
    await connection.execute(
        sa.update(presentations).where(presentations.c.id == presentation_id).values(reason=reason)
    )


async def remove(connection: AsyncConnection, source_id: str) -> None:
    """Delete the row of a source."""
    await connection.execute(sa.delete(presentations).where(presentations.c.source_id == source_id))


async def sidecars_of(connection: AsyncConnection, source_id: str) -> tuple[TextTrack, ...]:
    """The subtitles that were added to the source, oldest first."""
    query = sa.select(sidecars.c.track).where(sidecars.c.source_id == source_id)
    found = await connection.execute(query.order_by(sidecars.c.created_at, sidecars.c.name))
    return tuple(_TRACK.validate_json(track) for track in found.scalars())


async def add_sidecar(connection: AsyncConnection, source_id: str, track: TextTrack) -> bool:
    """Remember subtitles of the source, once; whether they are new."""
    if any(other.name == track.name for other in await sidecars_of(connection, source_id)):
        return False
    values = {"source_id": source_id, "name": track.name, "track": _TRACK.dump_json(track).decode()}
    await connection.execute(sa.insert(sidecars).values(**values, created_at=utcnow()))
    return True


async def remove_sidecars(connection: AsyncConnection, source_id: str, name: str | None = None) -> bool:
    """Forget one, or all, of the subtitles that were added to the source; whether there were any."""
    query = sa.delete(sidecars).where(sidecars.c.source_id == source_id)
    if name is not None:
        query = query.where(sidecars.c.name == name)
    return (await connection.execute(query)).rowcount > 0
