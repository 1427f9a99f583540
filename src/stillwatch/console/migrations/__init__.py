"""The console's own database, version by version."""
