"""Pictures to choose from, and those that owners have chosen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0009"


def upgrade() -> None:
    """Add the columns; films that are there already have nothing to choose from until their pictures are made anew."""
    op.add_column("videos", sa.Column("pictures", sa.Integer, nullable=False, server_default="0"))
    op.add_column("videos", sa.Column("chosen_poster_key", sa.String(255), nullable=True))
    op.add_column("videos", sa.Column("chosen_backdrop_key", sa.String(255), nullable=True))


def downgrade() -> None:
    """Drop the columns."""
    for name in ("chosen_backdrop_key", "chosen_poster_key", "pictures"):
        op.drop_column("videos", name)
