"""Alembic's entry: runs the steps on the connection that ``stillwatch.share.hub.schema`` gives."""

from __future__ import annotations

from alembic import context

from stillwatch.share.hub.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
