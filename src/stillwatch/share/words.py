"""The closed vocabularies of what is shared: bands, kinds, lanes, purposes, fixed ids."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

from stillwatch.schema import METHODS

__all__ = [
    "BANDS", "CLEAR_KINDS", "EXT", "IDENTITY_FIELDS", "LANES", "MATCHABLE", "NETWORKS", "NOTICES",
    "OPINIONS", "PURPOSES", "SHARED_METHODS", "SIGNALS", "SPACE", "TOKEN_KINDS", "band", "extended",
    "identify", "lowest", "shown", "written",
]  # fmt: skip

SPACE: Final = uuid.UUID("3f0c7f2e-5f0b-5d1c-9b8e-6a5d5b1f8a10")

_EDGES: Final = (0, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 1_000_000, 10_000_000)
BANDS: Final = (
    *(f"{low}-{high}" for low, high in pairwise(_EDGES)),
    f"{_EDGES[-1]}-",
)

LANES: Final = ("technical", "aggregate")
# Why somebody reads or says something; no other reason has a name (docs/antitrust.md).
PURPOSES: Final = (
    "detection", "investigation", "mitigation", "measurement", "correction", "audit",
)  # fmt: skip
SHARED_METHODS: Final = tuple(sorted(METHODS))
# What a claim may rest on, by name. A signal that the scan has and this list lacks is not told.
SIGNALS: Final = (
    "ban_waves", "blob_replay", "crossed_cards", "even_volumes", "handoff", "harvest",
    "one_fleet", "one_source", "retry", "rotating_exits", "round_robin", "shared_account_values",
    "shared_exits", "shared_mix", "signup_burst", "succession", "two_reasons",
)  # fmt: skip
_LENGTHS: Final = (3, 4, 5, 6, 8, 10, 12, 16)
# Fingerprints that travel in the clear: 64-bit hashes of the kernel's frozen specification.
CLEAR_KINDS: Final = (
    *(f"frame_head_{n}" for n in _LENGTHS),
    *(f"frame_tail_{n}" for n in _LENGTHS),
    "near_text", "system_prompt", "tool_schema",
)  # fmt: skip
# Values that travel as tokens only: RFC 9497 outputs under the keys of an epoch.
TOKEN_KINDS: Final = ("address_prefix", "device", "email", "frame_band", "payment", "phone")
# Templates as members propose them to each other: matched at the hub, and never shared as such.
MATCHABLE: Final = (*TOKEN_KINDS, "frame")
NETWORKS: Final = ("hosting", "mixed", "mobile", "residential", "unknown")
OPINIONS: Final = ("strongly-disagree", "disagree", "neutral", "agree", "strongly-agree")
NOTICES: Final[dict[str, str]] = {
    "appeal_opened": "An appeal is open. Take no new adverse step on what this note refers to.",
    "appeal_upheld": "An appeal was upheld. Undo what was done on what this note refers to.",
    "appeal_denied": "An appeal was heard and not upheld.",
    "false_positive": "This was a mistake. Undo what was done on what this note refers to.",
    "deletion": "Delete what this note refers to, and what was derived from it.",
}

EXT: Final[dict[str, str]] = {
    name: f"extension-definition--{uuid.uuid5(SPACE, f'extension-definition:{name}')}"
    for name in ("campaign", "fingerprint", "infrastructure", "traffic", "sighting", "actor",
                 "notice", "aggregate", "iep")
}  # fmt: skip


def extended(obj: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object's extension of ours; empty where it has none, as objects of the standard.

    >>> extended({"type": "note"}, "notice").get("kind") is None
    True
    """
    found: Mapping[str, Any] = obj.get("extensions", {}).get(EXT[name], {})
    return found


def written(value: Any) -> str:
    """Return the one JSON text of a value: keys sorted, no spaces.

    As `seal.canonical`, which needs the extra ``seal``: the main job builds bundles without it.

    Raises:
        ValueError, TypeError, RecursionError: the value cannot be written as JSON.
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    text.encode("utf-8")
    return text


def band(count: int) -> str:
    """Return the log band of a count, so that it does not identify a provider's customers.

    >>> band(41), band(0), band(99_999_999)
    ('30-100', '0-10', '10000000-')
    """
    for edge, name in zip(_EDGES[1:], BANDS, strict=False):
        if count < edge:
            return name
    return BANDS[-1]


def lowest(name: str) -> int:
    """Return the lower edge of a band: what a field that must hold a number says."""
    return int(name.split("-")[0])


def shown(name: str) -> str:
    """Return a band as a reader sees it.

    >>> shown("1000-3000"), shown("10000000-")
    ('1,000 to 3,000', '10,000,000 and more')
    """
    low, high = name.split("-")
    return f"{int(low):,} to {int(high):,}" if high else f"{int(low):,} and more"


# The fields that an object's deterministic id is made of. What may change from version to version
# (modified, confidence, counts, the end of the window) is not among them.
IDENTITY_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "campaign": ("created_by_ref", "created", "extensions"),
    "indicator": ("created_by_ref", "pattern", "valid_from"),
    "infrastructure": ("created_by_ref", "created", "extensions"),
    "observed-data": ("created_by_ref", "first_observed", "extensions"),
    "relationship": ("created_by_ref", "relationship_type", "source_ref", "target_ref"),
    "sighting": ("created_by_ref", "sighting_of_ref", "first_seen"),
    "opinion": ("created_by_ref", "object_refs", "created"),
    "note": ("created_by_ref", "object_refs", "created", "content"),
    "report": ("created_by_ref", "published", "object_refs", "extensions"),
    "intrusion-set": ("created_by_ref", "created"),
    "threat-actor": ("created_by_ref", "created"),
}
_HANDLE: Final = ("handle", "kind", "lane")


def identify(obj: Mapping[str, Any]) -> str:
    """Return the deterministic id of an object: UUIDv5 of the fields that make it what it is.

    Of an extension only ``handle``, ``kind`` and ``lane`` count. Nothing that goes in is an
    identifier of a customer, so that guessing finds nothing.

    Raises:
        KeyError: the type has no deterministic form (identity, bundle), or a field is missing.
    """
    kind = obj["type"]
    parts: dict[str, Any] = {}
    for name in IDENTITY_FIELDS[kind]:
        value = obj[name] if name != "extensions" else obj.get(name, {})
        if name == "extensions":
            value = {
                key: {k: inner[k] for k in _HANDLE if k in inner} for key, inner in value.items()
            }
        elif isinstance(value, list):
            value = sorted(value)
        parts[name] = value
    return f"{kind}--{uuid.uuid5(SPACE, kind + ':' + written(parts))}"
