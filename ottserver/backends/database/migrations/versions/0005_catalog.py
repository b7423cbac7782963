"""Tables of the catalog room: videos and their genres."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "videos",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("genres", sa.JSON, nullable=False),
        sa.Column("actors", sa.JSON, nullable=False),
        sa.Column("directors", sa.JSON, nullable=False),
        sa.Column("year", sa.Integer),
        sa.Column("maturity", sa.String(20)),
        sa.Column("series", sa.JSON(none_as_null=True)),
        sa.Column("upload_id", sa.String(36)),
        sa.Column("source_id", sa.String(36)),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("presentation_id", sa.String(32)),
        sa.Column("duration_seconds", sa.Float),
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("summary", sa.JSON, nullable=False),
        sa.Column("poster_key", sa.String(255)),
        sa.Column("backdrop_key", sa.String(255)),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("published_at", sa.DateTime),
        sa.PrimaryKeyConstraint("id", name="pk_videos"),
        sa.UniqueConstraint("upload_id", name="uq_videos_upload_id"),
    )
    op.create_index("ix_videos_source_id", "videos", ["source_id"])
    op.create_index("ix_videos_status_published_at", "videos", ["status", "published_at"])
    op.create_table(
        "video_genres",
        sa.Column("video_id", sa.String(36), nullable=False),
        sa.Column("slug", sa.String(60), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.PrimaryKeyConstraint("video_id", "slug", name="pk_video_genres"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="fk_video_genres_video_id", ondelete="CASCADE"),
    )
    op.create_index("ix_video_genres_slug", "video_genres", ["slug"])
