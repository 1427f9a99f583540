"""What Alembic runs: the versions, inside the transaction that `book.open_book` holds."""

from __future__ import annotations

from alembic import context

from stillwatch.cases.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
