"""The tokens that callers of a server show.

They stand apart from what the guard's commands join, which brings the cases' database with it and
costs a server at its start more than all the rest.
"""

from __future__ import annotations

from pathlib import Path

from stillwatch.errors import ConfigError

__all__ = ["tokens_of"]


def tokens_of(path: Path | None) -> tuple[str, ...]:
    """Read the callers' tokens, one a line. Raises ConfigError."""
    if path is None:
        return ()
    try:
        found = tuple(t for t in path.read_text("utf-8").split() if t)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("cannot be read", where="--token-file") from error
    if not found:
        raise ConfigError("holds no token", where="--token-file")
    return found
