"""Who acts: a named person, or a rule; and when two names are the same one."""

from __future__ import annotations

from stillwatch.errors import ConfigError
from stillwatch.schema import is_rule, plain_name

__all__ = ["check_person", "is_rule", "plain_name", "same_person"]


def same_person(one: str, other: str) -> bool:
    """Return whether two names are one person's."""
    return plain_name(one) == plain_name(other)


def check_person(by: str) -> None:
    """Raise ConfigError where no person is named."""
    if not plain_name(by) or is_rule(by):
        raise ConfigError("expected the name of a person", where="by")
