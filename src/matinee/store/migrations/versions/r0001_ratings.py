"""Users, their current ratings, and every rating they ever gave."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "users",
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_users"),
    )
    op.create_table(
        "ratings",
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("movie_id", sa.String(200), nullable=False),
        sa.Column("stars", sa.Float, nullable=True),
        sa.Column("rated_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "movie_id", name="pk_ratings"),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name="fk_ratings_user_id_users", ondelete="CASCADE"),
    )
    op.create_table(
        "rating_history",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("movie_id", sa.String(200), nullable=False),
        sa.Column("stars", sa.Float, nullable=True),
        sa.Column("rated_at", sa.BigInteger, nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rating_history"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name="fk_rating_history_user_id_users", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_rating_history_user_id", "rating_history", ["user_id"])
