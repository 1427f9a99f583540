"""Objects that are the same in every bundle: markings, extensions, techniques, countermeasures.

They are compared whole, so that nothing can be said in them. Nobody recommends a step against a
customer: a course of action is a technical measure of one's own service.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from stillwatch.share.words import EXT, SPACE

__all__ = [
    "ATLAS", "CATALOGUE", "FIRST", "IEP", "MEASURES", "PROJECT", "PROVIDER", "RELEASABLE", "TLP",
    "TLP_EXTENSION",
]  # fmt: skip

# Objects with the same id in every bundle never change `created` (STIX 2.1, 3.6).
FIRST: Final = "2026-01-01T00:00:00.000Z"
# TLP 2.0 in STIX 2.1: OASIS CTI common objects, extension-definition-specifications/tlp-2.0
TLP_EXTENSION: Final = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
TLP: Final = {
    "clear": "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    "green": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "amber": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "amber+strict": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    "red": "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
# TLP:RED is for the people in the room: it never leaves.
RELEASABLE: Final = tuple(TLP[name] for name in ("clear", "green", "amber", "amber+strict"))

# MITRE ATLAS techniques and mitigations, by id
ATLAS: Final = {
    "AML.T0008.005": "AI Service Proxies",
    "AML.T0012": "Valid Accounts",
    "AML.T0021": "Establish Accounts",
    "AML.T0024.002": "Extract AI Model",
    "AML.T0040": "AI Model Inference API Access",
    "AML.T0054": "LLM Jailbreak",
}
MEASURES: Final = {
    "AML.M0002": ("Passive AI Output Obfuscation", ("AML.T0024.002",)),
    "AML.M0004": ("Restrict Number of AI Model Queries", ("AML.T0024.002", "AML.T0040")),
    "AML.M0019": (
        "Control Access to AI Models and Data in Production",
        ("AML.T0012", "AML.T0040"),
    ),
    "AML.M0024": ("AI Telemetry Logging", ("AML.T0024.002", "AML.T0040")),
}
_EXTENSIONS: Final = {
    "campaign": ("property-extension", "A campaign's handle, claims, methods and log bands"),
    "fingerprint": ("property-extension", "A value that can be matched and not read back"),
    "infrastructure": ("property-extension", "A kind of shared infrastructure, never an address"),
    "traffic": ("new-sco", "Traffic of a campaign in log bands, without any identifier"),
    "sighting": ("property-extension", "The log band behind the count of a sighting"),
    "actor": ("property-extension", "A claim about an operator, with the release by counsel"),
    "notice": ("property-extension", "The kind of a correction, from a closed list"),
    "aggregate": ("property-extension", "Figures of at least five contributors, 90 days old"),
    "iep": ("property-extension", "A policy of the Information Exchange Policy 2.0 framework"),
}


def _id(kind: str, key: str) -> str:
    return f"{kind}--{uuid.uuid5(SPACE, f'{kind}:{key}')}"


def _thing(kind: str, key: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": kind, "spec_version": "2.1", "id": _id(kind, key), "created": FIRST,
        "modified": FIRST, **fields,
    }  # fmt: skip


PROVIDER: Final = _thing(
    "identity", "provider", name="A model provider", identity_class="organization"
)
PROJECT: Final = _thing(
    "identity", "project", name="The stillwatch project", identity_class="organization"
)


def _tlp(level: str) -> dict[str, Any]:
    return {
        "type": "marking-definition", "spec_version": "2.1", "id": TLP[level],
        "created": "2022-10-01T00:00:00.000Z", "name": f"TLP:{level.upper()}",
        "extensions": {TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": level}},
    }  # fmt: skip


def _iep(level: str) -> dict[str, Any]:
    """Return the policy of a TLP level. Source: FIRST, IEP 2.0 framework and JSON specification."""
    made = _id("marking-definition", f"iep:{level}")
    policy = {
        "extension_type": "property-extension", "id": made.split("--")[1],
        "name": f"stillwatch TLP-{level.upper()}", "iep_version": "2.0",
        "start_date": FIRST, "encrypt_in_transit": "must",
        "permitted_actions": "internally-visible-actions",
        "affected_party_notifications": "must-not", "tlp": level, "attribution": "must-not",
        "unmodified_resale": "must-not",
    }  # fmt: skip
    return {
        "type": "marking-definition", "spec_version": "2.1", "id": made, "created": FIRST,
        "name": f"IEP 2.0 for TLP:{level.upper()}",
        "extensions": {EXT["iep"]: policy},
    }  # fmt: skip


def _extension(name: str) -> dict[str, Any]:
    kind, what = _EXTENSIONS[name]
    return {
        "type": "extension-definition", "spec_version": "2.1", "id": EXT[name], "created": FIRST,
        "modified": FIRST, "created_by_ref": PROJECT["id"], "name": f"stillwatch {name}",
        "description": f"{what}. Closed: an unknown field is refused.",
        "schema": f"stillwatch/share/schema.json#/$defs/extension-{name}", "version": "1.0.0",
        "extension_types": [kind],
    }  # fmt: skip


def _atlas(key: str, name: str, kind: str) -> dict[str, Any]:
    return _thing(
        kind, key, created_by_ref=PROVIDER["id"], name=name,
        description=f"MITRE ATLAS {key}.",
        external_references=[{"source_name": "mitre-atlas", "external_id": key}],
    )  # fmt: skip


IEP: Final = {level: _id("marking-definition", f"iep:{level}") for level in TLP if level != "red"}

CATALOGUE: Final[Mapping[str, dict[str, Any]]] = {
    one["id"]: one
    for one in (
        PROVIDER, PROJECT,
        *(_tlp(level) for level in TLP if level != "red"),
        *(_iep(level) for level in IEP),
        *(_extension(name) for name in _EXTENSIONS),
        *(_atlas(key, name, "attack-pattern") for key, name in ATLAS.items()),
        *(_atlas(key, name, "course-of-action") for key, (name, _) in MEASURES.items()),
    )
}  # fmt: skip
