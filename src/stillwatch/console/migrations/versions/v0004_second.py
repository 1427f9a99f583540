"""A session says whether a second factor was shown when it began."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of sessions that are there nobody knows, so they count as without."""
    op.add_column(
        "sessions", sa.Column("second", sa.Boolean(), nullable=False, server_default=sa.false())
    )
