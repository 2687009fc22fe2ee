"""Tokens and links of people, what they marked and imported, and answers that a repeated request gets again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _of_user(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=f"fk_{table}_user_id_users", ondelete="CASCADE")


def upgrade() -> None:
    """Make the tables of people."""
    op.create_table(
        "tokens",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_tokens"),
        _of_user("tokens"),
    )
    op.create_index("ix_tokens_user_id", "tokens", ["user_id"])
    op.create_table(
        "links",
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("code_hash", name="pk_links"),
        _of_user("links"),
    )
    op.create_index("ix_links_user_id", "links", ["user_id"])
    op.create_table(
        "marks",
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("movie_id", sa.String(200), nullable=False),
        sa.Column("marked_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "kind", "movie_id", name="pk_marks"),
        _of_user("marks"),
    )
    op.create_table(
        "replays",
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer, nullable=True),
        sa.Column("body", sa.Text, nullable=True),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name="pk_replays"),
    )
    op.create_index("ix_replays_asked_at", "replays", ["asked_at"])
    _make_imports()


def _make_imports() -> None:
    op.create_table(
        "imports",
        sa.Column("import_id", sa.String(24), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("source", sa.String(24), nullable=False),
        sa.Column("imported_at", sa.BigInteger, nullable=False),
        sa.Column("open_lines", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("import_id", name="pk_imports"),
        _of_user("imports"),
    )
    op.create_index("ix_imports_user_id", "imports", ["user_id"])
    op.create_table(
        "import_items",
        sa.Column("import_id", sa.String(24), nullable=False),
        sa.Column("movie_id", sa.String(200), nullable=False),
        sa.Column("stars", sa.Float, nullable=True),
        sa.Column("rated_at", sa.BigInteger, nullable=False),
        sa.Column("old_stars", sa.Float, nullable=True),
        sa.Column("old_rated_at", sa.BigInteger, nullable=True),
        sa.PrimaryKeyConstraint("import_id", "movie_id", name="pk_import_items"),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.import_id"], name="fk_import_items_import_id_imports", ondelete="CASCADE"
        ),
    )
