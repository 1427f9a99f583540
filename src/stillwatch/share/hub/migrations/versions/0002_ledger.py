"""The Merkle ledger over the events, and the tables of the matching."""

from __future__ import annotations

import json
import os

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _salt()
    op.create_table(
        "node",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("place", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "place", name=op.f("pk_node")),
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_checkpoint")),
    )
    op.create_table(
        "witnessed",
        sa.Column("origin", sa.String(length=200), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("origin", name=op.f("pk_witnessed")),
    )
    op.create_table(
        "match_key",
        sa.Column("epoch", sa.String(length=7), nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_match_key")),
    )
    op.create_table(
        "evaluated",
        sa.Column("member", _KEY, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["member"], ["member.pk"], name=op.f("fk_evaluated_member_member")),
        sa.PrimaryKeyConstraint("member", "day", name=op.f("pk_evaluated")),
    )
    op.create_table(
        "candidate",
        sa.Column("epoch", sa.String(length=7), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("member", _KEY, nullable=False),
        sa.ForeignKeyConstraint(["member"], ["member.pk"], name=op.f("fk_candidate_member_member")),
        sa.PrimaryKeyConstraint("epoch", "token", "member", name=op.f("pk_candidate")),
    )


def _salt() -> None:
    """Give every event that there is a salt and its member."""
    with op.batch_alter_table("event") as table:
        table.add_column(sa.Column("salt", sa.LargeBinary(), nullable=True))
        table.add_column(sa.Column("member", sa.String(length=64), nullable=True))
    connection = op.get_bind()
    fill = sa.text("UPDATE event SET salt = :salt, member = :member WHERE number = :number")
    for number, text in connection.execute(sa.text("SELECT number, value FROM event")).all():
        row = {"number": number, "salt": os.urandom(16), "member": json.loads(text)["member"]}
        connection.execute(fill, row)
    with op.batch_alter_table("event") as table:
        table.alter_column("salt", existing_type=sa.LargeBinary(), nullable=False)
        table.alter_column("member", existing_type=sa.String(length=64), nullable=False)
        table.create_index("ix_event_member", ["member", "number"])
