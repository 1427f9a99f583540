"""People, sessions, failed log-ins, and who read what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_APPEND_ONLY = "what was read is append-only"


def upgrade() -> None:
    """Make the tables; a folder of a version before this one has them already."""
    known = set(sa.inspect(op.get_bind()).get_table_names())
    if "people" not in known:
        _make()
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER IF NOT EXISTS reads_no_{change.lower()} BEFORE {change} "
                f"ON reads BEGIN SELECT RAISE(ABORT, '{_APPEND_ONLY}'); END"
            )
    elif op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION reads_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{_APPEND_ONLY}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER reads_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON reads "
            "FOR EACH STATEMENT EXECUTE FUNCTION reads_append_only()"
        )


def _make() -> None:
    op.create_table(
        "people",
        sa.Column("login", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("plain_name", sa.Text(), nullable=False, unique=True),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text()),
        sa.Column("secret_until_us", sa.BigInteger()),
        sa.Column("subject", sa.Text(), unique=True),
        sa.Column("locked", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.Text(), primary_key=True),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("csrf", sa.Text(), nullable=False),
        sa.Column("began_us", sa.BigInteger(), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_sessions_login", "sessions", ["login"])
    op.create_table(
        "failures",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_failures_login", "failures", ["login"])
    op.create_table(
        "reads",
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Integer(), nullable=False),
    )
    op.create_index("ix_reads_at_us", "reads", ["at_us"])
