"""Presentations: what has been planned of every source."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ottserver.backends.database.schema import ID, UtcDateTime

revision = "0006"
down_revision = "0005"

_LONG = sa.Text(2**24 - 1)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "presentations",
        sa.Column("source_id", ID, nullable=False),
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("source_key", sa.String(512), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("plan", _LONG, nullable=False),
        sa.Column("presentation", _LONG, nullable=False),
        sa.Column("inits", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=True),
        sa.Column("artwork", sa.Boolean, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("source_id", name="pk_presentations"),
    )
    op.create_index("ix_presentations_id", "presentations", ["id"])
    op.create_index("ix_presentations_state", "presentations", ["state"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("presentations")
