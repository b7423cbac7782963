"""What is made of a film beside its segments, and which segments could not be made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_LONG = sa.Text(2**24 - 1)


def upgrade() -> None:
    """Add the columns; existing films have neither yet."""
    op.add_column("presentations", sa.Column("extras", _LONG, nullable=True))
    op.add_column("presentations", sa.Column("damage", _LONG, nullable=True))


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("presentations", "damage")
    op.drop_column("presentations", "extras")
