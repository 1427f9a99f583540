"""The first version of the case database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_APPEND_ONLY = "history is append-only"


def upgrade() -> None:
    """Make every table, and let the database itself refuse changes to the history."""
    _said()
    _seen()
    _judged()
    _shared()
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER history_no_{change.lower()} BEFORE {change} ON history "
                f"BEGIN SELECT RAISE(ABORT, '{_APPEND_ONLY}'); END"
            )
    elif op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION history_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{_APPEND_ONLY}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER history_no_change BEFORE UPDATE OR DELETE ON history "
            "FOR EACH ROW EXECUTE FUNCTION history_append_only()"
        )


def _text(name: str, *, key: bool = False, empty: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), primary_key=key, nullable=empty and not key)


def _number(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), primary_key=key, nullable=False, autoincrement=False)


def _time(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _said() -> None:
    op.create_table(
        "history", _number("number", key=True), _text("value"), _text("before"),
        sa.Column("own", sa.Text(), nullable=False, unique=True),
    )  # fmt: skip
    op.create_table("bodies", _number("number", key=True), _text("salt"), _text("body"))


def _seen() -> None:
    op.create_table(
        "cases", _text("id", key=True), _text("state"), _time("opened_us"), _time("changed_us"),
        _text("merged_into", empty=True), _text("split_from", empty=True),
        _text("assigned_to", empty=True), _text("evidence_digest"),
    )  # fmt: skip
    op.create_table(
        "case_campaigns", _text("case_id", key=True), _text("campaign_id", key=True),
        _flag("current"),
    )  # fmt: skip
    op.create_table(
        "members", _text("case_id", key=True), _text("account_id", key=True), _text("role"),
        _text("standing"), _flag("current"),
    )  # fmt: skip
    op.create_index("ix_members_account_id", "members", ["account_id"])
    op.create_table(
        "evidence", _text("digest", key=True), _text("case_id", key=True), _number("number")
    )
    op.create_table(
        "notes", _number("number", key=True), _text("case_id"), _text("by_person"), _time("at_us"),
        _text("text"),
    )  # fmt: skip


def _judged() -> None:
    op.create_table(
        "decisions", _text("id", key=True), _text("case_id"), _text("subject"), _text("scope"),
        _text("verdict"), _text("reason"), _text("evidence_digest"), _text("by_person"),
        _time("at_us"), _time("expires_us"), _text("undoes", empty=True),
        _text("undone_by", empty=True), _flag("pending"), _text("approved_by", empty=True),
    )  # fmt: skip
    op.create_index("ix_decisions_case_id", "decisions", ["case_id"])
    op.create_table(
        "decision_accounts", _text("decision_id", key=True), _text("account_id", key=True)
    )
    op.create_index("ix_decision_accounts_account_id", "decision_accounts", ["account_id"])
    op.create_table(
        "appeals", _text("id", key=True), _text("decision_id"), _text("account_id"), _text("state"),
        _text("by_person"), _time("at_us"), _time("due_us"), _text("outcome", empty=True),
        _text("resolved_by", empty=True),
    )  # fmt: skip
    op.create_index("ix_appeals_decision_id", "appeals", ["decision_id"])
    op.create_table(
        "notices", _text("decision_id", key=True), _time("at_us"), _time("appeal_by_us"),
        _text("text"),
    )  # fmt: skip


def _shared() -> None:
    op.create_table(
        "corrections", _number("number", key=True), _text("account_id"), _text("case_id"),
        _text("campaign_id"), _text("evidence_digest"), _text("appeal_id"), _time("at_us"),
    )  # fmt: skip
    op.create_index("ix_corrections_account_id", "corrections", ["account_id"])
    op.create_table(
        "labels", _number("number", key=True), _text("account_id"), _text("case_id"),
        _text("label"), _text("by_person"), _time("at_us"),
    )  # fmt: skip
    op.create_index("ix_labels_account_id", "labels", ["account_id"])
    op.create_table(
        "indicators", _text("id", key=True), _text("case_id"), _text("kind"), _text("digest"),
        _time("at_us"), _text("state"),
    )  # fmt: skip
    op.create_table(
        "sightings", _text("id", key=True), _text("indicator"), _text("case_id"),
        _text("count_band"), _time("at_us"), _text("state"),
    )  # fmt: skip
