"""What each person keeps for their own work: views of the queue, cases passed over, a time zone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make three tables."""
    op.create_table(
        "views",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("login", "name"),
    )
    op.create_table(
        "skips",
        sa.Column("login", sa.Text(), primary_key=True),
        sa.Column("case_id", sa.Text(), primary_key=True),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "habits",
        sa.Column("login", sa.Text(), primary_key=True),
        sa.Column("zone", sa.Text(), nullable=False),
    )
