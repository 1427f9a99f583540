"""The tables of the case database.

``history`` and ``bodies`` are what was said: a hash chain that holds commitments only, and the
texts behind them; ``contents`` are the bytes of attached files. The others are views of it, made by
`projection`, so that they can be asked in SQL; `verify` makes them again and compares.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

__all__ = [
    "PROJECTIONS", "appeals", "attachments", "bodies", "case_campaigns", "cases", "contents",
    "corrections",
    "decision_accounts", "decisions", "evidence", "history", "indicators", "labels", "members",
    "metadata", "notes", "notices", "sightings",
]  # fmt: skip

metadata = MetaData()

history = Table(
    "history", metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("value", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("own", Text, nullable=False, unique=True),
)  # fmt: skip
bodies = Table(
    "bodies", metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("salt", Text, nullable=False),
    Column("body", Text, nullable=False),
)  # fmt: skip
cases = Table(
    "cases", metadata,
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("opened_us", BigInteger, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    Column("merged_into", Text),
    Column("split_from", Text),
    Column("assigned_to", Text),
    Column("evidence_digest", Text, nullable=False),
    Column("kind", Text, nullable=False),
)  # fmt: skip
case_campaigns = Table(
    "case_campaigns", metadata,
    Column("case_id", Text, primary_key=True),
    Column("campaign_id", Text, primary_key=True),
    Column("current", Boolean, nullable=False),
)  # fmt: skip
members = Table(
    "members", metadata,
    Column("case_id", Text, primary_key=True),
    Column("account_id", Text, primary_key=True, index=True),
    Column("role", Text, nullable=False),
    Column("standing", Text, nullable=False),
    Column("current", Boolean, nullable=False),
)  # fmt: skip
evidence = Table(
    "evidence", metadata,
    Column("digest", Text, primary_key=True),
    Column("case_id", Text, primary_key=True),
    Column("number", Integer, nullable=False),
)  # fmt: skip
notes = Table(
    "notes", metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("case_id", Text, nullable=False),
    Column("by_person", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("account_id", Text),
)  # fmt: skip
decisions = Table(
    "decisions", metadata,
    Column("id", Text, primary_key=True),
    Column("case_id", Text, nullable=False, index=True),
    Column("subject", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence_digest", Text, nullable=False),
    Column("by_person", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("undoes", Text),
    Column("undone_by", Text),
    Column("pending", Boolean, nullable=False),
    Column("approved_by", Text),
    Column("origin", Text),
    Column("stands", Boolean, nullable=False),
    Column("reference", Text),
)  # fmt: skip
decision_accounts = Table(
    "decision_accounts", metadata,
    Column("decision_id", Text, primary_key=True),
    Column("account_id", Text, primary_key=True, index=True),
)  # fmt: skip
appeals = Table(
    "appeals", metadata,
    Column("id", Text, primary_key=True),
    Column("decision_id", Text, nullable=False, index=True),
    Column("account_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("by_person", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Column("outcome", Text),
    Column("resolved_by", Text),
)  # fmt: skip
notices = Table(
    "notices", metadata,
    Column("decision_id", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("appeal_by_us", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
)  # fmt: skip
corrections = Table(
    "corrections", metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("account_id", Text, nullable=False, index=True),
    Column("case_id", Text, nullable=False),
    Column("campaign_id", Text, nullable=False),
    Column("evidence_digest", Text, nullable=False),
    Column("appeal_id", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)  # fmt: skip
labels = Table(
    "labels", metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("account_id", Text, nullable=False, index=True),
    Column("case_id", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("by_person", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("reason", Text),
)  # fmt: skip
indicators = Table(
    "indicators", metadata,
    Column("id", Text, primary_key=True),
    Column("case_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
)  # fmt: skip
sightings = Table(
    "sightings", metadata,
    Column("id", Text, primary_key=True),
    Column("indicator", Text, nullable=False),
    Column("case_id", Text, nullable=False),
    Column("count_band", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
)  # fmt: skip

attachments = Table(
    "attachments", metadata,
    Column("id", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("case_id", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("remark", Text, nullable=False),
    Column("by_person", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("gone", Text, nullable=False),
)  # fmt: skip
contents = Table(
    "contents", metadata,
    Column("id", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)  # fmt: skip

PROJECTIONS: Final = (
    cases, case_campaigns, members, evidence, notes, decisions, decision_accounts, appeals, notices,
    corrections, labels, indicators, sightings, attachments,
)  # fmt: skip
