"""What Alembic runs: the versions, inside the transaction that `home.open_home` holds."""

from __future__ import annotations

from alembic import context

from stillwatch.console.home import VERSIONS, metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata,
                  version_table=VERSIONS)  # fmt: skip
context.run_migrations()
