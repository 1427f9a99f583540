"""Alembic's environment and the versions of the case database's schema."""
