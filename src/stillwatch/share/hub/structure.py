"""The structural check: what every object must be before any other rule looks at it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from stillwatch.share.hub.envelopes import written
from stillwatch.share.hub.times import parse_timestamp

__all__ = ["STIX_TYPES", "Accept", "Form", "Rules", "identify", "spec_of", "structural"]

Accept = Callable[[Mapping[str, Any]], Sequence[str]]
Form = Callable[[Mapping[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Rules:
    """What a hub demands of objects beside their structure.

    ``accept``: sentences that refuse an object. ``form``: the writing that is kept of it.
    ``fixed``: objects that are the same for all members, by id: anybody may refer to them and
    submit them, and other references must be to what the hub has. None: there are none, and
    references may be to anything.
    """

    accept: Accept | None = None
    form: Form = dict
    fixed: Mapping[str, Mapping[str, Any]] | None = None


_DOMAIN: Final = {
    "attack-pattern", "campaign", "course-of-action", "grouping", "identity", "incident",
    "indicator", "infrastructure", "intrusion-set", "location", "malware", "malware-analysis",
    "note", "observed-data", "opinion", "report", "threat-actor", "tool", "vulnerability",
    "relationship", "sighting", "language-content",
}  # fmt: skip
_CYBER_OBSERVABLE: Final = {
    "artifact", "autonomous-system", "directory", "domain-name", "email-addr", "email-message",
    "file", "ipv4-addr", "ipv6-addr", "mac-addr", "mutex", "network-traffic", "process",
    "software", "url", "user-account", "windows-registry-key", "x509-certificate",
}  # fmt: skip
_DEFINITIONS: Final = {"marking-definition", "extension-definition"}
STIX_TYPES: Final = frozenset(_DOMAIN | _CYBER_OBSERVABLE | _DEFINITIONS)

_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,248}[a-z0-9]", re.ASCII)
_ID: Final = re.compile(
    r"([a-z0-9-]{3,250})--[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII
)
_PROPERTY: Final = re.compile(r"[a-z0-9_]{1,250}", re.ASCII)


def identify(stix: Mapping[str, Any]) -> str | None:
    """Return a sentence where an object has no usable type, id and version; else None."""
    kind, name = stix.get("type"), stix.get("id")
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind):
        return "type must be a STIX type: 3 to 250 of a-z, 0-9 and hyphen."
    found = _ID.fullmatch(name) if isinstance(name, str) else None
    if found is None or found[1] != kind:
        return "id must be the type, two hyphens and a UUID in lower case."
    for field in ("created", "modified"):
        if field in stix and parse_timestamp(stix[field]) is None:
            return f"{field} must be a timestamp in UTC that ends in Z."
    if spec_of(stix) not in {"2.0", "2.1"}:
        return "spec_version must be 2.1."
    return None


def spec_of(stix: Mapping[str, Any]) -> str:
    """Return the version of STIX that an object is of, said or implied (STIX 2.1, section 3.2).

    Without a spec_version a cyber-observable is of 2.1, everything else of 2.0. What has no
    ``created`` is a cyber-observable, also of a type that is none of the standard's.
    """
    if "spec_version" in stix:
        return str(stix["spec_version"])
    observable = stix.get("type") in _CYBER_OBSERVABLE
    custom = stix.get("type") not in STIX_TYPES and "created" not in stix
    return "2.1" if observable or custom else "2.0"


def structural(types: Sequence[str] = (), most_bytes: int = 100_000) -> Accept:
    """Return the check of common properties, types and size (STIX 2.1, sections 3.1 and 3.2).

    ``types``: those allowed beside the standard's; ``*`` allows any. ``most_bytes``: of one object.
    The check of depth and of the JSON itself comes earlier, in :func:`read_envelope`.
    """
    allowed = STIX_TYPES | set(types)

    def accept(stix: Mapping[str, Any]) -> Sequence[str]:
        refused = []
        if stix["type"] not in allowed and "*" not in types:
            refused.append(f"Objects of type {stix['type']} are not taken here.")
        refused += _common(stix)
        if len(written(stix).encode()) > most_bytes:
            refused.append(f"The object is larger than {most_bytes:,} bytes.")
        return refused

    return accept


def _common(stix: Mapping[str, Any]) -> list[str]:
    kind, refused = stix["type"], []
    if not all(_PROPERTY.fullmatch(name) for name in stix):
        refused.append("Names of properties must be of a-z, 0-9 and underscore.")
    if kind not in _CYBER_OBSERVABLE:
        needed = ["created"] if kind in _DEFINITIONS else ["created", "modified"]
        refused += [f"{field} is missing." for field in needed if field not in stix]
    if kind in STIX_TYPES and kind not in _CYBER_OBSERVABLE and "created" in stix:
        created, modified = parse_timestamp(stix["created"]), parse_timestamp(stix.get("modified"))
        if created is not None and modified is not None and modified < created:
            refused.append("modified is before created.")
    creator = stix.get("created_by_ref")
    if creator is not None and not (
        isinstance(creator, str) and _ID.fullmatch(creator) and creator.startswith("identity--")
    ):
        refused.append("created_by_ref must be the id of an identity.")
    if not isinstance(stix.get("revoked", False), bool):
        refused.append("revoked must be true or false.")
    confidence = stix.get("confidence", 0)
    if (
        not isinstance(confidence, int)
        or isinstance(confidence, bool)
        or not 0 <= confidence <= 100
    ):
        refused.append("confidence must be a whole number from 0 to 100.")
    return refused
