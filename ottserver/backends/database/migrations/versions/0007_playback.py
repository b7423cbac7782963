"""Playback sessions and what was watched."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "playback_sessions",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("account_id", sa.String(36), nullable=False),
        sa.Column("profile_id", sa.String(36), nullable=False),
        sa.Column("video_id", sa.String(36), nullable=False),
        sa.Column("presentation_id", sa.String(32), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("duration_seconds", sa.Double, nullable=False),
        sa.Column("device", sa.String(64), nullable=False),
        sa.Column("screens", sa.Integer, nullable=False),
        sa.Column("started_at", sa.DateTime, nullable=False),
        sa.Column("last_seen_at", sa.DateTime, nullable=False),
        sa.Column("position", sa.Double, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("ended_at", sa.DateTime, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_playback_sessions"),
    )
    op.create_index("ix_playback_sessions_account_id", "playback_sessions", ["account_id"])
    op.create_index("ix_playback_sessions_video_id", "playback_sessions", ["video_id"])
    op.create_index("ix_playback_sessions_ended_at_last_seen_at", "playback_sessions", ["ended_at", "last_seen_at"])
    op.create_table(
        "playback_history",
        sa.Column("account_id", sa.String(36), nullable=False),
        sa.Column("profile_id", sa.String(36), nullable=False),
        sa.Column("video_id", sa.String(36), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("position", sa.Double, nullable=False),
        sa.Column("duration_seconds", sa.Double, nullable=False),
        sa.Column("resume_at", sa.Double, nullable=False),
        sa.Column("watched_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "profile_id", "video_id", name="pk_playback_history"),
    )
    op.create_index("ix_playback_history_video_id", "playback_history", ["video_id"])
    op.create_index("ix_playback_history_account_id_watched_at", "playback_history", ["account_id", "watched_at"])
