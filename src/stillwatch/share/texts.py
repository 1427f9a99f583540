"""Names, descriptions, patterns: each is computed from typed fields; some may be prose instead.

The guard computes them again and compares: a byte that does not follow from a typed field is
refused, unless the field may hold prose and the text passes `prose`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from stillwatch.share.catalogue import PROVIDER
from stillwatch.share.words import EXT, NOTICES, shown

__all__ = ["PROSE", "texts_of"]

# Which fields of which type may hold prose. A field that is computed as well need not be.
PROSE: Final[Mapping[str, tuple[str, ...]]] = {
    "campaign": ("name", "description"),
    "indicator": ("name", "description"),
    "infrastructure": ("name", "description"),
    "relationship": ("description",),
    "sighting": ("description",),
    "opinion": ("explanation",),
    "note": ("abstract",),
    "report": ("name", "description"),
    "intrusion-set": ("description",),
    "threat-actor": ("description",),
}


def texts_of(obj: Mapping[str, Any]) -> dict[str, str]:
    """Return the text fields that follow from the other fields of an object of a checked shape."""
    write = _WRITERS.get(obj["type"])
    return write(obj) if write else {}


def _extension(obj: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = obj["extensions"][EXT[name]]
    return found


def _short(obj: Mapping[str, Any]) -> str:
    return str(obj["id"]).split("--")[1][:8]


def _methods(names: list[str]) -> str:
    return ", ".join(names) or "not told apart"


def _campaign(obj: Mapping[str, Any]) -> dict[str, str]:
    own = _extension(obj, "campaign")
    return {
        "name": f"Adversarial distillation {own['handle']}",
        "description": f"Coordinated accounts: {shown(own['accounts'])}; exchanges: "
        f"{shown(own['exchanges'])}; methods: {_methods(own.get('methods', []))}. "
        "No operator is named.",
    }


def _indicator(obj: Mapping[str, Any]) -> dict[str, str]:
    own = _extension(obj, "fingerprint")
    kind, epoch = own["kind"], own.get("epoch")
    words = kind.removeprefix("token_").replace("_", " ")
    what = "a token that only the owner of the same value can compute" if epoch else "a fingerprint"
    field = f"{kind}_{epoch}".replace("-", "_") if epoch else kind
    return {
        "name": f"Seen in a distillation campaign: {words}",
        "description": f"{what[0].upper()}{what[1:]}. It supports a finding and never makes one.",
        "pattern": f"[x-stillwatch-value:{field} = '{own['value']}']",
    }


def _infrastructure(obj: Mapping[str, Any]) -> dict[str, str]:
    own = _extension(obj, "infrastructure")
    return {"name": f"{own['kind'].replace('_', ' ')}, network {own['network']}"}


def _actor(obj: Mapping[str, Any]) -> dict[str, str]:
    return {"name": f"Operator {_short(obj)}"}


def _identity(obj: Mapping[str, Any]) -> dict[str, str]:
    if obj["id"] == PROVIDER["id"]:
        return {"name": PROVIDER["name"]}
    return {"name": f"Contributor {_short(obj)}"}


def _note(obj: Mapping[str, Any]) -> dict[str, str]:
    return {"content": NOTICES[_extension(obj, "notice")["kind"]]}


def _report(obj: Mapping[str, Any]) -> dict[str, str]:
    own = obj.get("extensions", {}).get(EXT["aggregate"])
    if own is None:
        return {
            "name": "Distillation campaigns",
            "description": "Campaigns of one contributor, with what supports each claim.",
        }
    return {
        "name": f"Distillation, {own['first_month'][:7]} to {own['last_month'][:7]}",
        "description": f"Contributors: {shown(own['contributors'])}; campaigns: "
        f"{shown(own['campaigns'])}; accounts: {shown(own['accounts'])}; exchanges: "
        f"{shown(own['exchanges'])}; methods: {_methods(own.get('methods', []))}.",
    }


_WRITERS: Final[dict[str, Callable[[Mapping[str, Any]], dict[str, str]]]] = {
    "campaign": _campaign,
    "indicator": _indicator,
    "infrastructure": _infrastructure,
    "intrusion-set": _actor,
    "threat-actor": _actor,
    "identity": _identity,
    "note": _note,
    "report": _report,
}
