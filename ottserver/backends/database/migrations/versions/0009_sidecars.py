"""Subtitles that were brought as files of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ottserver.backends.database.schema import ID, UtcDateTime

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "sidecars",
        sa.Column("source_id", ID, primary_key=True),
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("track", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("sidecars")
