"""Accounts that are shut out, and what playing sessions were begun with, so that a change of it reaches them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the columns; of sessions that run already nothing is known, so only the account's standing ends them."""
    op.add_column("accounts", sa.Column("disabled_at", sa.DateTime, nullable=True))
    op.add_column("playback_sessions", sa.Column("sign_in_id", sa.String(36), nullable=False, server_default="unknown"))
    op.add_column("playback_sessions", sa.Column("max_height", sa.Integer, nullable=False, server_default="0"))
    op.add_column(
        "playback_sessions", sa.Column("ended_reason", sa.String(16), nullable=False, server_default="elsewhere")
    )


def downgrade() -> None:
    """Drop the columns."""
    for name in ("ended_reason", "max_height", "sign_in_id"):
        op.drop_column("playback_sessions", name)
    op.drop_column("accounts", "disabled_at")
