"""The hub's tables. Instants and versions are whole microseconds since 1970, UTC."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = [
    "API_ROOT",
    "AUDIENCE",
    "CANDIDATE",
    "CHECKPOINT",
    "COLLECTION",
    "CORRECTION",
    "DELIVERY",
    "EVALUATED",
    "EVENT",
    "GRANT",
    "MARKING",
    "MATCH_KEY",
    "MEMBER",
    "METADATA",
    "NODE",
    "PUBLICATION",
    "RECIPIENT",
    "SPEAKER",
    "SUBMISSION",
    "TOKEN",
    "TOMBSTONE",
    "USAGE",
    "VERSION",
    "WITNESSED",
]

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
# SQLite numbers rows by itself only for INTEGER, which holds 64 bits there.
_Key = BigInteger().with_variant(Integer, "sqlite")


def _refers(table: str) -> ForeignKey:
    return ForeignKey(f"{table}.pk")


API_ROOT: Final = Table(
    "api_root",
    METADATA,
    Column("pk", _Key, primary_key=True),
    Column("slug", String(64), nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("description", Text),
    Column("max_content_length", BigInteger, nullable=False),
)
COLLECTION: Final = Table(
    "collection",
    METADATA,
    Column("pk", _Key, primary_key=True),
    Column("root", _Key, _refers("api_root"), nullable=False),
    Column("id", String(36), nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text),
    Column("alias", String(250)),
    Column("spec_versions", String(16), nullable=False),  # "2.1" or "2.0,2.1"
    Column("default_tlp", String(16), nullable=False),
    Column("tier", Integer, nullable=False),  # the lowest tier that sees the collection
    Column("created", BigInteger, nullable=False),
    Column("last_added", BigInteger, nullable=False),
    UniqueConstraint("root", "id"),
    UniqueConstraint("root", "alias"),
)
MEMBER: Final = Table(
    "member",
    METADATA,
    Column("pk", _Key, primary_key=True),
    Column("pseudonym", String(64), nullable=False, unique=True),
    Column("label", Text, nullable=False),  # the operator's own note, never sent
    Column("role", String(16), nullable=False),
    Column("tier", Integer, nullable=False),
    Column("purpose", String(32), nullable=False),  # of its agreement: recorded where none is sent
    Column("pseudonymous", Boolean, nullable=False),
    Column("objects_per_day", BigInteger, nullable=False),
    Column("reads_per_day", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("disabled", BigInteger),
)
TOKEN: Final = Table(
    "token",
    METADATA,
    Column("digest", String(64), primary_key=True),  # SHA-256 of 256 random bits
    Column("member", _Key, _refers("member"), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
)
GRANT: Final = Table(
    "access",
    METADATA,
    Column("member", _Key, _refers("member"), primary_key=True),
    Column("collection", _Key, _refers("collection"), primary_key=True),
    Column("can_read", Boolean, nullable=False),
    Column("can_write", Boolean, nullable=False),
)
USAGE: Final = Table(
    "usage",
    METADATA,
    Column("member", _Key, _refers("member"), primary_key=True),
    Column("day", Integer, primary_key=True),  # days since 1970, UTC
    Column("submitted", BigInteger, nullable=False),
    Column("read", BigInteger, nullable=False),
)
AUDIENCE: Final = Table(
    "audience",
    METADATA,
    Column("pk", _Key, primary_key=True),
    Column("key", String(80), nullable=False, unique=True),
    Column("tier", Integer, nullable=False),
    Column("listed", Boolean, nullable=False),
)
RECIPIENT: Final = Table(
    "recipient",
    METADATA,
    Column("audience", _Key, _refers("audience"), primary_key=True),
    Column("pseudonym", String(64), primary_key=True, index=True),
)
MARKING: Final = Table(
    "marking",
    METADATA,
    Column("owner", _Key, _refers("member"), primary_key=True),
    Column("id", String(60), primary_key=True),
    Column("tlp", String(16)),
    Column("recipients", Text),  # JSON list of pseudonyms, or null: no list
)
VERSION: Final = Table(
    "version",
    METADATA,
    Column("pk", _Key, primary_key=True),
    Column("collection", _Key, _refers("collection"), nullable=False),
    Column("added", BigInteger, nullable=False),
    Column("object_id", String(300), nullable=False),
    Column("type", String(250), nullable=False),
    Column("spec", String(8), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("version_text", String(64), nullable=False),
    # What makes a version the same one again; "-" where STIX gives an object none.
    Column("version_key", String(64), nullable=False),
    Column("owner", _Key, _refers("member"), nullable=False),
    Column("audience", _Key, _refers("audience"), nullable=False),
    Column("digest", String(71), nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("collection", "added"),
    UniqueConstraint("collection", "object_id", "owner", "spec", "version_key"),
    Index("ix_version_object", "collection", "object_id", "version"),
    Index("ix_version_type", "collection", "type", "added"),
)
TOMBSTONE: Final = Table(
    "tombstone",
    METADATA,
    Column("pk", _Key, primary_key=True),
    Column("collection", _Key, _refers("collection"), nullable=False),
    Column("key", String(64), nullable=False),  # keyed digest: some ids are made of their value
    Column("owner", _Key, _refers("member"), nullable=False),
    Column("by_operator", Boolean, nullable=False),
    Column("deleted", BigInteger, nullable=False),
    Index("ix_tombstone_key", "collection", "key"),
)
SUBMISSION: Final = Table(
    "submission",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("root", _Key, _refers("api_root"), nullable=False),
    Column("collection", _Key, _refers("collection"), nullable=False),
    Column("member", _Key, _refers("member"), nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("finished", BigInteger, index=True),
    Column("resource", Text, nullable=False),  # the status resource
    Column("body", LargeBinary),  # the envelope, until it is worked off
)
EVENT: Final = Table(
    "event",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Text, nullable=False),
    Column("before", String(71), nullable=False),
    Column("own", String(71), nullable=False),
    Column("salt", LargeBinary, nullable=False),  # of its commitment, which is its leaf of the tree
    Column("member", String(64), nullable=False),  # whose receipt it is; "": everybody's
    Index("ix_event_member", "member", "number"),
)
# The hash of every full subtree of the Merkle tree over the events, as far as it was signed.
NODE: Final = Table(
    "node",
    METADATA,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)
CHECKPOINT: Final = Table(
    "checkpoint",
    METADATA,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),  # signed, with the cosignatures it has
)
# The last checkpoint of each ledger that this witness cosigned.
WITNESSED: Final = Table(
    "witnessed",
    METADATA,
    Column("origin", String(200), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
)
# A holder's half of the matching key, by month; forgotten after two.
MATCH_KEY: Final = Table(
    "match_key",
    METADATA,
    Column("epoch", String(7), primary_key=True),
    Column("seed", LargeBinary, nullable=False),
)
EVALUATED: Final = Table(
    "evaluated",
    METADATA,
    Column("member", _Key, _refers("member"), primary_key=True),
    Column("day", Integer, primary_key=True),  # days since 1970, UTC
    Column("count", BigInteger, nullable=False),
)
# Who suspects which template, as a token: told to who asks for that very one, without names.
CANDIDATE: Final = Table(
    "candidate",
    METADATA,
    Column("epoch", String(7), primary_key=True),
    Column("token", String(64), primary_key=True),
    Column("member", _Key, _refers("member"), primary_key=True),
)
# Of whom figures of which months were published, so that no two can be subtracted; no figures.
PUBLICATION: Final = Table(
    "publication",
    METADATA,
    Column("pk", _Key, primary_key=True),
    Column("first", String(32), nullable=False),  # first days of the first and the last month
    Column("last", String(32), nullable=False),
    Column("contributors", Text, nullable=False),  # JSON list of pseudonyms
    Column("published", BigInteger, nullable=False),
)
# Under which identities a member under its own name speaks: a free choice each, so they are few.
SPEAKER: Final = Table(
    "speaker",
    METADATA,
    Column("collection", _Key, _refers("collection"), primary_key=True),
    Column("member", _Key, _refers("member"), primary_key=True),
    Column("identity", String(300), primary_key=True),
)
DELIVERY: Final = Table(
    "delivery",
    METADATA,
    Column("pk", _Key, primary_key=True),
    Column("member", _Key, _refers("member"), nullable=False),
    Column("collection", _Key, _refers("collection"), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("first_added", BigInteger, nullable=False),
    Column("last_added", BigInteger, nullable=False),
    Column("added", LargeBinary, nullable=False),  # of each version handed out, 8 bytes each
    Index("ix_delivery_span", "collection", "first_added", "last_added"),
)
CORRECTION: Final = Table(
    "correction",
    METADATA,
    Column("pk", _Key, primary_key=True),
    Column("member", _Key, _refers("member"), nullable=False),
    Column("collection", _Key, _refers("collection"), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("object_id", String(300), nullable=False),
    Column("kind", String(16), nullable=False),  # revoked | deleted
    Index("ix_correction_member", "member", "collection", "at"),
)
