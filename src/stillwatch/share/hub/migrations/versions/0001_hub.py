"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_root",
        sa.Column("pk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("max_content_length", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_api_root")),
        sa.UniqueConstraint("slug", name=op.f("uq_api_root_slug")),
    )
    op.create_table(
        "audience",
        sa.Column("pk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_audience")),
        sa.UniqueConstraint("key", name=op.f("uq_audience_key")),
    )
    op.create_table(
        "event",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("before", sa.String(length=71), nullable=False),
        sa.Column("own", sa.String(length=71), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_event")),
    )
    op.create_table(
        "member",
        sa.Column("pk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pseudonym", sa.String(length=64), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("pseudonymous", sa.Boolean(), nullable=False),
        sa.Column("objects_per_day", sa.BigInteger(), nullable=False),
        sa.Column("reads_per_day", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("disabled", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_member")),
        sa.UniqueConstraint("pseudonym", name=op.f("uq_member_pseudonym")),
    )
    op.create_table(
        "collection",
        sa.Column("pk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("root", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("alias", sa.String(length=250), nullable=True),
        sa.Column("spec_versions", sa.String(length=16), nullable=False),
        sa.Column("default_tlp", sa.String(length=16), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("last_added", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["root"], ["api_root.pk"], name=op.f("fk_collection_root")),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_collection")),
        sa.UniqueConstraint("root", "alias", name=op.f("uq_collection_root_alias")),
        sa.UniqueConstraint("root", "id", name=op.f("uq_collection_root_id")),
    )
    op.create_table(
        "marking",
        sa.Column("owner", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(length=60), nullable=False),
        sa.Column("tlp", sa.String(length=16), nullable=True),
        sa.Column("recipients", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["owner"], ["member.pk"], name=op.f("fk_marking_owner")),
        sa.PrimaryKeyConstraint("owner", "id", name=op.f("pk_marking")),
    )
    op.create_table(
        "recipient",
        sa.Column("audience", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pseudonym", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["audience"], ["audience.pk"], name=op.f("fk_recipient_audience")),
        sa.PrimaryKeyConstraint("audience", "pseudonym", name=op.f("pk_recipient")),
    )
    with op.batch_alter_table("recipient", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_recipient_pseudonym"), ["pseudonym"], unique=False)

    op.create_table(
        "token",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("member", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["member"], ["member.pk"], name=op.f("fk_token_member")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_token")),
    )
    op.create_table(
        "usage",
        sa.Column("member", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("submitted", sa.BigInteger(), nullable=False),
        sa.Column("read", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["member"], ["member.pk"], name=op.f("fk_usage_member")),
        sa.PrimaryKeyConstraint("member", "day", name=op.f("pk_usage")),
    )
    op.create_table(
        "access",
        sa.Column("member", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "collection", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("can_read", sa.Boolean(), nullable=False),
        sa.Column("can_write", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection"], ["collection.pk"], name=op.f("fk_access_collection")
        ),
        sa.ForeignKeyConstraint(["member"], ["member.pk"], name=op.f("fk_access_member")),
        sa.PrimaryKeyConstraint("member", "collection", name=op.f("pk_access")),
    )
    op.create_table(
        "correction",
        sa.Column("pk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("member", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "collection", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("object_id", sa.String(length=300), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection"], ["collection.pk"], name=op.f("fk_correction_collection")
        ),
        sa.ForeignKeyConstraint(["member"], ["member.pk"], name=op.f("fk_correction_member")),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_correction")),
    )
    with op.batch_alter_table("correction", schema=None) as batch_op:
        batch_op.create_index("ix_correction_member", ["member", "collection", "at"], unique=False)

    op.create_table(
        "delivery",
        sa.Column("pk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("member", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "collection", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("first_added", sa.BigInteger(), nullable=False),
        sa.Column("last_added", sa.BigInteger(), nullable=False),
        sa.Column("added", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection"], ["collection.pk"], name=op.f("fk_delivery_collection")
        ),
        sa.ForeignKeyConstraint(["member"], ["member.pk"], name=op.f("fk_delivery_member")),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_delivery")),
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(
            "ix_delivery_span", ["collection", "first_added", "last_added"], unique=False
        )

    op.create_table(
        "submission",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("root", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "collection", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("member", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.BigInteger(), nullable=True),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["collection"], ["collection.pk"], name=op.f("fk_submission_collection")
        ),
        sa.ForeignKeyConstraint(["member"], ["member.pk"], name=op.f("fk_submission_member")),
        sa.ForeignKeyConstraint(["root"], ["api_root.pk"], name=op.f("fk_submission_root")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submission")),
    )
    with op.batch_alter_table("submission", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_submission_finished"), ["finished"], unique=False)

    op.create_table(
        "tombstone",
        sa.Column("pk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "collection", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("by_operator", sa.Boolean(), nullable=False),
        sa.Column("deleted", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection"], ["collection.pk"], name=op.f("fk_tombstone_collection")
        ),
        sa.ForeignKeyConstraint(["owner"], ["member.pk"], name=op.f("fk_tombstone_owner")),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_tombstone")),
    )
    with op.batch_alter_table("tombstone", schema=None) as batch_op:
        batch_op.create_index("ix_tombstone_key", ["collection", "key"], unique=False)

    op.create_table(
        "version",
        sa.Column("pk", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "collection", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("added", sa.BigInteger(), nullable=False),
        sa.Column("object_id", sa.String(length=300), nullable=False),
        sa.Column("type", sa.String(length=250), nullable=False),
        sa.Column("spec", sa.String(length=8), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("version_text", sa.String(length=64), nullable=False),
        sa.Column("version_key", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("audience", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["audience"], ["audience.pk"], name=op.f("fk_version_audience")),
        sa.ForeignKeyConstraint(
            ["collection"], ["collection.pk"], name=op.f("fk_version_collection")
        ),
        sa.ForeignKeyConstraint(["owner"], ["member.pk"], name=op.f("fk_version_owner")),
        sa.PrimaryKeyConstraint("pk", name=op.f("pk_version")),
        sa.UniqueConstraint("collection", "added", name=op.f("uq_version_collection_added")),
        sa.UniqueConstraint(
            "collection",
            "object_id",
            "owner",
            "spec",
            "version_key",
            name=op.f("uq_version_collection_object_id_owner_spec_version_key"),
        ),
    )
    with op.batch_alter_table("version", schema=None) as batch_op:
        batch_op.create_index(
            "ix_version_object", ["collection", "object_id", "version"], unique=False
        )
        batch_op.create_index("ix_version_type", ["collection", "type", "added"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("version", schema=None) as batch_op:
        batch_op.drop_index("ix_version_type")
        batch_op.drop_index("ix_version_object")

    op.drop_table("version")
    with op.batch_alter_table("tombstone", schema=None) as batch_op:
        batch_op.drop_index("ix_tombstone_key")

    op.drop_table("tombstone")
    with op.batch_alter_table("submission", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_submission_finished"))

    op.drop_table("submission")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index("ix_delivery_span")

    op.drop_table("delivery")
    with op.batch_alter_table("correction", schema=None) as batch_op:
        batch_op.drop_index("ix_correction_member")

    op.drop_table("correction")
    op.drop_table("access")
    op.drop_table("usage")
    op.drop_table("token")
    with op.batch_alter_table("recipient", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_recipient_pseudonym"))

    op.drop_table("recipient")
    op.drop_table("marking")
    op.drop_table("collection")
    op.drop_table("member")
    op.drop_table("event")
    op.drop_table("audience")
    op.drop_table("api_root")
