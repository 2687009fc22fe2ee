"""A number that says whether a person's ratings and marks have changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Give everybody one."""
    op.add_column("users", sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"))
