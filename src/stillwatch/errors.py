"""Every error that stillwatch raises says where it happened and what to do next.

Text of prompts and identifiers of people never go into a message: name the file,
the line and the field instead.
"""

from __future__ import annotations

import errno
import os

__all__ = [
    "ConfigError",
    "EvidenceError",
    "InputError",
    "NotPermitted",
    "RunnerError",
    "SchemaError",
    "ShareRefused",
    "StateError",
    "StillwatchError",
    "why",
]


def why(error: Exception) -> str:
    """Return why a file or an address cannot be had, as a reader says it: "permission denied".

    Never a path or a content: of other errors than the machine's the kind alone.
    """
    if isinstance(error, UnicodeError):
        return "not UTF-8 text"
    if isinstance(error, FileNotFoundError):  # some libraries put the path there, or nothing
        return os.strerror(errno.ENOENT).lower()
    told = error.strerror if isinstance(error, OSError) else None
    return told.lower() if told and "/" not in told else type(error).__name__


class StillwatchError(Exception):
    """The base of all errors of this package.

    ``where`` is a place a reader can open (``file:line``, a column, an option);
    ``hint`` is the next step.
    """

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        self.message = message
        self.where = where
        self.hint = hint
        parts = [f"{where}: {message}" if where else message]
        if hint:
            parts.append(f"Next: {hint}")
        super().__init__(" ".join(parts))


class InputError(StillwatchError):
    """The input cannot be read (exit code 2)."""


class SchemaError(StillwatchError):
    """A table or record does not have the shape its contract demands."""


class ConfigError(StillwatchError):
    """An option, a setting or a configuration file is wrong (exit code 1)."""


class StateError(ConfigError):
    """What is asked for was possible once: its object is in another state now."""


class NotPermitted(StillwatchError):
    """A policy forbids the action."""


class ShareRefused(StillwatchError):
    """The antitrust gate refuses to let something leave."""


class EvidenceError(StillwatchError):
    """Evidence does not hold: data that cannot carry a statistic, a seal that does not verify."""


class RunnerError(StillwatchError):
    """A step of the pipeline failed while it was executed."""
