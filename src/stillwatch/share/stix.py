"""A minimal STIX 2.1 bundle: what was seen of each accused campaign, without anybody's identity."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = ["bundle"]

# For objects whose id is the same in every bundle: `created` never changes (STIX 2.1, §3.6).
_FIRST: Final = "2026-01-01T00:00:00.000Z"
_SPACE: Final = uuid.UUID("3f0c7f2e-5f0b-5d1c-9b8e-6a5d5b1f8a10")
# TLP 1.x amber, STIX 2.1 §7.2.1.4
_AMBER: Final = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"
_ATLAS: Final = {
    "AML.T0024.002": "Extract AI Model",
    "AML.T0040": "AI Model Inference API Access",
    "AML.T0008.005": "AI Service Proxies",
}
_BANDS: Final = (10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 1_000_000, 10_000_000)


def _id(kind: str, key: str) -> str:
    return f"{kind}--{uuid.uuid5(_SPACE, f'{kind}:{key}')}"


def _millis(moment: str) -> str:
    """Return a time of the run, which has whole seconds, as `created` and `modified` demand it."""
    return moment.removesuffix("Z") + ".000Z"


def _band(count: int) -> str:
    """Return a log band, so that a count does not identify a provider's customers."""
    low = 0
    for high in _BANDS:
        if count < high:
            return f"{low:,}–{high:,}"
        low = high
    return f"{low:,} and more"


def bundle(campaigns: Iterable[Mapping[str, Any]], created: str) -> dict[str, Any]:
    """Return the bundle of all accused campaigns. ``created``: end of the window, ISO 8601 Z."""
    identity = {
        "type": "identity", "spec_version": "2.1", "id": _id("identity", "provider"),
        "created": _FIRST, "modified": _FIRST, "name": "A model provider",
        "identity_class": "organization",
    }  # fmt: skip
    accused = [c for c in campaigns if c["standing"] == "accused"]
    patterns = [
        {
            "type": "attack-pattern", "spec_version": "2.1", "id": _id("attack-pattern", key),
            "created": _FIRST, "modified": _FIRST, "created_by_ref": identity["id"],
            "name": name,
            "external_references": [{"source_name": "mitre-atlas", "external_id": key}],
        }
        for key, name in _ATLAS.items()
    ]  # fmt: skip
    objects: list[dict[str, Any]] = [identity]
    if accused:
        objects.extend(patterns)
    proxies = _id("attack-pattern", "AML.T0008.005")
    for one in accused:
        campaign = _campaign(one, created, str(identity["id"]))
        objects.append(campaign)
        objects.extend(
            {
                "type": "relationship", "spec_version": "2.1",
                "id": _id("relationship", f"{one['campaign_id']}:{pattern['id']}"),
                "created": campaign["created"], "modified": campaign["modified"],
                "created_by_ref": identity["id"], "relationship_type": "uses",
                "source_ref": campaign["id"], "target_ref": pattern["id"],
                "object_marking_refs": [_AMBER],
            }
            for pattern in patterns
            if pattern["id"] != proxies or _through_proxies(one)
        )  # fmt: skip
    key = created + ":" + ",".join(c["campaign_id"] for c in accused)
    return {"type": "bundle", "id": _id("bundle", key), "objects": objects}


def _through_proxies(one: Mapping[str, Any]) -> bool:
    """Return whether the campaign's accounts were shown to leave through common prefixes."""
    evidence = one["claims"]["coordinated"]["evidence"]
    return any(e["signal"] == "shared_exits" and e["p_value"] < 1e-3 for e in evidence)


def _campaign(one: Mapping[str, Any], created: str, identity: str) -> dict[str, Any]:
    claims = one["claims"]
    confidence = min(claims["coordinated"]["confidence"], claims["extractive"]["confidence"])
    methods = ", ".join(one["methods"]) or "not told apart"
    return {
        "type": "campaign", "spec_version": "2.1", "id": _id("campaign", one["campaign_id"]),
        "created": _millis(one["first_seen"]), "modified": _millis(created),
        "created_by_ref": identity,
        "name": f"Adversarial distillation {one['campaign_id']}",
        "description": f"Coordinated accounts: {_band(one['accounts'])}; exchanges: "
        f"{_band(one['exchanges'])}; methods: {methods}. No operator is named.",
        "first_seen": one["first_seen"], "last_seen": one["last_seen"],
        "objective": "training data from a model's answers", "confidence": round(confidence * 100),
        "object_marking_refs": [_AMBER],
    }  # fmt: skip
