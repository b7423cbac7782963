"""What all rooms' tables share: the metadata they register on, and the column type of a moment in time.

A room declares its tables in its own `store.py`, and its migration beside the others in `migrations/versions`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID = sa.String(36)
"""A UUIDv7 as text."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, kept as the database's plain timestamp with microseconds."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the base's signature
        """Turn an aware datetime into UTC without a zone; a naive one is a defect and refused."""
        if value is None:
            return None
        if value.tzinfo is None:
            message = "a datetime without a zone cannot be stored"
            raise ValueError(message)
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the base's signature
        """Give the zone back."""
        return None if value is None else value.replace(tzinfo=UTC)


outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", ID, nullable=False, unique=True),
    sa.Column("aggregatetype", sa.String(64), nullable=False),
    sa.Column("aggregateid", sa.String(64), nullable=False),
    sa.Column("type", sa.String(64), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sqlite_autoincrement=True,
)
"""Facts in the order of their commits. Column names are those that Debezium's outbox event router reads."""

consumer_positions = sa.Table(
    "consumer_positions",
    metadata,
    sa.Column("consumer", sa.String(64), primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
)
"""The last `seq` that a consumer has taken in hand: digested, or laid aside in `consumer_failures`."""

consumer_failures = sa.Table(
    "consumer_failures",
    metadata,
    sa.Column("consumer", sa.String(64), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("aggregateid", sa.String(64), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt_at", UtcDateTime, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("parked_at", UtcDateTime, nullable=True),
)
"""Facts laid aside for a later try, those behind them of the same key, and the parked ones."""
