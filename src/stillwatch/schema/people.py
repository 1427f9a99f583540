"""How a name is compared, and that ``rule:NAME`` is nobody's."""

from __future__ import annotations

import unicodedata

__all__ = ["is_rule", "plain_name"]

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


def is_rule(name: str) -> bool:
    """Return whether ``rule:NAME`` acts, and no person."""
    return plain_name(name).startswith(_RULE)
