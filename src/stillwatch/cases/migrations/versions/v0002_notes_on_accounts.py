"""Notes may be on an account; a decision says where it was taken; a label keeps its reason."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add three columns, and fill the labels' reasons from the entries that hold them."""
    op.add_column("notes", sa.Column("account_id", sa.Text()))
    op.add_column("decisions", sa.Column("origin", sa.Text()))
    op.add_column("labels", sa.Column("reason", sa.Text()))
    connection = op.get_bind()
    rows = connection.execute(sa.text(
        "SELECT labels.number, bodies.body FROM labels JOIN bodies USING (number)"
    )).all()  # fmt: skip
    for number, body in rows:
        connection.execute(
            sa.text("UPDATE labels SET reason = :reason WHERE number = :number"),
            {"reason": json.loads(body).get("reason"), "number": number},
        )
