"""The Merkle ledger over the events, and the tables of the matching."""

from __future__ import annotations

import json
import os

import sqlalchemy as sa
from alembic import op

from stillwatch.seal import Entry, leaf_hash, node_hash

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    leaf = op.create_table(
        "leaf",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("member", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_leaf")),
    )
    op.create_index("ix_leaf_member", "leaf", ["member", "number"])
    node = op.create_table(
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
    _plant(leaf, node)


def _plant(leaf: sa.Table, node: sa.Table) -> None:
    """Make the tree over the events that there are."""
    connection = op.get_bind()
    edge: dict[int, bytes] = {}  # the last full subtree of each level that waits for its right half
    events = connection.execute(sa.text("SELECT number, value FROM event ORDER BY number"))
    for number, text in events.all():
        event, salt = json.loads(text), os.urandom(16)
        made = Entry.of(number, salt, event).commitment
        row = {"number": number, "commitment": made, "salt": salt, "member": event["member"]}
        connection.execute(sa.insert(leaf).values(row))
        level, place, found = 0, number, leaf_hash(made)
        connection.execute(sa.insert(node).values(level=0, place=place, hash=found))
        while place & 1:
            found = node_hash(edge.pop(level), found)
            level, place = level + 1, place >> 1
            connection.execute(sa.insert(node).values(level=level, place=place, hash=found))
        edge[level] = found
