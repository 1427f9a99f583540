"""One spelling for a raw value, so that the same card or telephone gets the same keyed hash."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["canonical_value", "has_country_code"]

_SPACERS = re.compile(r"[\s()./-]+")


def canonical_value(kind: str, value: str) -> str:
    """Return the spelling of a raw value that is hashed; ``kind`` as in `pseudonyms.KINDS`.

    E-mail addresses are lower-cased, telephone numbers E.164 (``00`` becomes ``+``), cards and
    payment references without spaces and hyphens, device ids lower-cased; identifiers are left as
    they stand, since two that differ are two.

    >>> canonical_value("phone", "0043 (660) 123-45 67")
    '+436601234567'
    >>> canonical_value("email", " Jo@Example.COM ")
    'jo@example.com'
    """
    if kind == "email":
        return unicodedata.normalize("NFKC", value).strip().lower()
    if kind == "phone":
        bare = _SPACERS.sub("", value)
        return "+" + bare[2:] if bare.startswith("00") else bare
    if kind == "payment":
        return _SPACERS.sub("", value)
    return value.strip().lower() if kind == "device" else value


def has_country_code(number: str) -> bool:
    """Tell whether a canonical telephone number can be compared beyond its own country."""
    return number.startswith("+")
