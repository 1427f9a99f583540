"""Under which identities a member speaks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "speaker",
        sa.Column("collection", key, nullable=False),
        sa.Column("member", key, nullable=False),
        sa.Column("identity", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection"], ["collection.pk"], name=op.f("fk_speaker_collection_collection")
        ),
        sa.ForeignKeyConstraint(["member"], ["member.pk"], name=op.f("fk_speaker_member_member")),
        sa.PrimaryKeyConstraint("collection", "member", "identity", name=op.f("pk_speaker")),
    )
