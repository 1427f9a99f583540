"""Who acts: a named person, or a rule; and when two names are the same one."""

from __future__ import annotations

import unicodedata

from stillwatch.errors import ConfigError

__all__ = ["check_person", "is_rule", "plain_name", "same_person"]

_RULE = "rule:"


def plain_name(name: str) -> str:
    """Return a name without what the eye does not see: case, spacing, hidden characters, accents
    written apart.

    Letters of two scripts that look alike stay two: where names are typed by hand, whoever runs
    this must see to it that a person has one.

    >>> plain_name(" Ada\\u200b  LOVELACE "), plain_name("Ａda Lovelace")
    ('ada lovelace', 'ada lovelace')
    """
    shown = "".join(
        " " if c.isspace() else c
        for c in unicodedata.normalize("NFKC", name)
        if c.isspace() or unicodedata.category(c)[0] != "C"
    )
    return " ".join(shown.casefold().split())


def same_person(one: str, other: str) -> bool:
    """Return whether two names are one person's."""
    return plain_name(one) == plain_name(other)


def is_rule(name: str) -> bool:
    """Return whether ``rule:NAME`` acts, and no person."""
    return plain_name(name).startswith(_RULE)


def check_person(by: str) -> None:
    """Raise ConfigError where no person is named."""
    if not plain_name(by) or is_rule(by):
        raise ConfigError("expected the name of a person", where="by")
