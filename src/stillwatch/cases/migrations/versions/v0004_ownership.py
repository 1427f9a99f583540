"""Cases may be of refusals by ownership; a decision may stand whatever a clock says."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add three columns; what is there is of campaigns, relaxes by its clock, has no reference."""
    op.add_column("cases", sa.Column("kind", sa.Text(), nullable=False, server_default="campaign"))
    op.add_column(
        "decisions", sa.Column("stands", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("decisions", sa.Column("reference", sa.Text()))
