"""Where a person is told by e-mail that their password or roles were changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nobody's address is known yet."""
    op.add_column("people", sa.Column("email", sa.Text()))
