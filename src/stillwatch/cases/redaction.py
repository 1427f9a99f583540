"""What each reader of an evidence pack may see, as lists of what is shown; the rest is left out.

internal: everything. counsel: everything but the remarks of colleagues. partner: what a neighbour
needs to look for the same, without a customer's identifier, a price or a volume. public: that it
happened, of what kind and about how large.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from stillwatch.schema import LINK_KINDS

__all__ = ["LEVELS", "Names", "band", "redact_campaign", "redact_link", "redact_member"]

LEVELS: Final = ("internal", "counsel", "partner", "public")
_CLAIM_OF_PARTNER: Final = ("confidence", "e_value")


class Names:
    """Pseudonyms that are the same within one pack and mean nothing outside it.

    Made with a key that is thrown away, so that nobody can find them by trying identifiers.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, kind: str, identifier: str) -> str:
        """Return the pseudonym of an account or object."""
        made = hmac.new(self._key, f"{kind}\0{identifier}".encode(), hashlib.sha256)
        return f"{kind}-{made.hexdigest()[:16]}"


def band(count: Any) -> str:
    """Return a count as a power of ten, such as 10-99.

    >>> band(0), band(7), band(10), band(4044)
    ('0', '1-9', '10-99', '1000-9999')
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        return "0"
    low = 10 ** (len(str(count)) - 1)
    return f"{low}-{low * 10 - 1}"


def redact_campaign(campaign: Mapping[str, Any], level: str, names: Names) -> dict[str, Any]:
    """Return what a level shows of a campaign's line; members are a file of their own."""
    if level in ("internal", "counsel"):
        return {key: value for key, value in campaign.items() if key != "members"}
    claims = campaign.get("claims")
    shown: dict[str, Any] = {
        "standing": _word(campaign.get("standing")),
        "methods": _words(campaign.get("methods")),
        "accounts": band(campaign.get("accounts")),
        "first_seen": _text(campaign.get("first_seen"))[: 7 if level == "public" else 10],
        "last_seen": _text(campaign.get("last_seen"))[: 7 if level == "public" else 10],
        "claims": _claims(claims if isinstance(claims, Mapping) else {}, level),
    }
    if level == "partner":
        shown["campaign"] = names.of("campaign", str(campaign.get("campaign_id")))
        shown["exchanges"] = band(campaign.get("exchanges"))
        shown["found_by"] = _words(campaign.get("found_by"))
    return shown


def redact_member(member: Mapping[str, Any], level: str, names: Names) -> dict[str, Any] | None:
    """Return what a level shows of a member; None where it is left out.

    A partner sees accused core accounts only: whoever is not accused is nobody's business.
    """
    if level in ("internal", "counsel"):
        return dict(member)
    if level == "partner" and member.get("role") == "core" and member.get("standing") == "accused":
        return {"account": names.of("account", str(member.get("account_id"))), "role": "core"}
    return None


def redact_link(
    link: Mapping[str, Any], level: str, names: Names, accused: frozenset[str]
) -> dict[str, Any] | None:
    """Return what a level shows of a link; None where it is left out.

    A partner sees that accused core accounts share objects, and of which kind; the objects have
    pseudonyms as well, since an address prefix is easily guessed.
    """
    if level in ("internal", "counsel"):
        return dict(link)
    kind, a, b = str(link["kind"]), str(link["a"]), str(link["b"])
    known = LINK_KINDS.get(kind)
    if level != "partner" or known is None or b not in accused:
        return None
    if known.direct and a not in accused:
        return None
    end = names.of("account" if known.direct else "object", a)
    return {"a": end, "b": names.of("account", b), "kind": kind}


def _claims(claims: Mapping[str, Any], level: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name in ("coordinated", "extractive"):  # an actor is named by counsel's release alone
        claim = claims.get(name)
        if not isinstance(claim, Mapping):
            continue
        if level == "public":
            shown[name] = {"confidence": _number(claim.get("confidence"))}
            continue
        shown[name] = {key: _number(claim.get(key)) for key in _CLAIM_OF_PARTNER}
        listed = claim.get("evidence")
        shown[name]["evidence"] = [
            {
                "signal": _word(held.get("signal")),
                "null": _word(_held(held.get("null")).get("name")),
                "e_value": _number(held.get("e_value")),
            }
            for held in (listed if isinstance(listed, Sequence) else ())
            if isinstance(held, Mapping)
        ]
    return shown


def _held(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | int | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _word(value: Any) -> str:
    """Return a name of ours (letters, digits, a few signs); anything longer or other is dropped."""
    text = _text(value)
    plain: Callable[[str], bool] = lambda c: c.isascii() and (c.isalnum() or c in " _-,.()")  # noqa: E731
    return text if len(text) <= 120 and all(map(plain, text)) else ""


def _words(value: Any) -> list[str]:
    return [w for v in value if (w := _word(v))] if isinstance(value, list) else []
