"""Who may see an object: its TLP level and its recipients, as an audience.

The rules, in this order:

1. Every marking counts, of the object and of any of its parts: the strictest one holds for all.
2. TLP CLEAR and GREEN are for every member, AMBER for full members, AMBER+STRICT for trusted ones,
   RED for the recipients that are named, and for nobody else.
3. A recipients marking narrows further: whoever is not on every list does not see the object.
4. An object without a TLP level has its collection's. A marking that the hub cannot resolve is
   refused, since an audience cannot be guessed.

Whoever submitted an object always sees it. A recipients marking itself is seen by its submitter
alone: it is a list of members.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from stillwatch.seal import digest

__all__ = [
    "RECIPIENTS_EXTENSION",
    "TIERS",
    "TLP_TIERS",
    "Audience",
    "Marking",
    "UnknownMarking",
    "audience_of",
    "marking_refs",
    "marking_text",
    "read_marking",
]

TIERS: Final = ("observer", "member", "trusted")
NOBODY: Final = len(TIERS)
TLP_TIERS: Final = {"clear": 0, "green": 0, "amber": 1, "amber+strict": 2, "red": 0}

# Names the members that may see what it marks:
#   {"type": "marking-definition", "extensions": {RECIPIENTS_EXTENSION:
#       {"extension_type": "property-extension", "recipients": ["member-…"]}}, …}
RECIPIENTS_EXTENSION: Final = "extension-definition--7a6b1c9e-3c0d-4b52-9d0a-5e5f0c5a4d11"
_TLP2_EXTENSION: Final = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
# STIX 2.1 section 7.2.1.4 (TLP 1), and the extension of TLP 2.0.
_TLP_IDS: Final = {
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": "clear",
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": "green",
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": "amber",
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": "red",
    "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487": "clear",
    "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": "green",
    "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421": "amber",
    "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003": "amber+strict",
    "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1": "red",
}
_MOST_RECIPIENTS: Final = 1000


class UnknownMarking(Exception):
    """A marking cannot be turned into an audience; the message is a sentence for the submitter."""


@dataclass(frozen=True)
class Marking:
    """What one marking-definition says about who may see. None: it says nothing of that kind."""

    tlp: str | None = None
    recipients: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Audience:
    """The lowest tier that sees, and the members it is limited to (None: no list)."""

    tier: int
    recipients: tuple[str, ...] | None = None

    @property
    def key(self) -> str:
        """Return the same short text for equal audiences."""
        return digest([self.tier, None if self.recipients is None else list(self.recipients)])


def marking_refs(stix: Mapping[str, Any]) -> list[str]:
    """Return the ids of all markings of an object and its parts, each once.

    Raises:
        UnknownMarking: they are not written as STIX writes them.
    """
    refs = stix.get("object_marking_refs", [])
    granular = stix.get("granular_markings", [])
    if not isinstance(refs, list) or not isinstance(granular, list):
        raise UnknownMarking("object_marking_refs and granular_markings must be lists.")
    found = list(refs)
    for part in granular:
        if not isinstance(part, dict):
            raise UnknownMarking("Each of granular_markings must be an object.")
        if "lang" not in part or "marking_ref" in part:  # a language is no restriction
            found.append(part.get("marking_ref"))
    if not all(isinstance(ref, str) for ref in found):
        raise UnknownMarking("A marking must be named by its id.")
    return list(dict.fromkeys(found))


def read_marking(stix: Mapping[str, Any]) -> Marking:
    """Return what a marking-definition object says.

    Raises:
        UnknownMarking: it names TLP or recipients in a form that the hub does not know.
    """
    extensions = stix.get("extensions", {})
    if not isinstance(extensions, dict):
        raise UnknownMarking("extensions must be an object.")
    tlp = _tlp_of(stix, extensions)
    listed = extensions.get(RECIPIENTS_EXTENSION)
    if listed is None:
        return Marking(tlp)
    names = listed.get("recipients") if isinstance(listed, dict) else None
    if (
        not isinstance(names, list)
        or not 1 <= len(names) <= _MOST_RECIPIENTS
        or not all(isinstance(name, str) and 0 < len(name) <= 64 for name in names)
    ):
        raise UnknownMarking(
            f"recipients must be a list of 1 to {_MOST_RECIPIENTS} members' pseudonyms."
        )
    return Marking(tlp, tuple(sorted(set(names))))


def _tlp_of(stix: Mapping[str, Any], extensions: Mapping[str, Any]) -> str | None:
    known = _TLP_IDS.get(str(stix.get("id")))
    if known is not None:
        return known
    if stix.get("definition_type") == "tlp":
        definition = stix.get("definition")
        told = definition.get("tlp") if isinstance(definition, dict) else None
    elif _TLP2_EXTENSION in extensions:
        extension = extensions[_TLP2_EXTENSION]
        told = extension.get("tlp_2_0") if isinstance(extension, dict) else None
    else:
        return None
    level = "clear" if told == "white" else told
    if not isinstance(level, str) or level not in TLP_TIERS:
        raise UnknownMarking("It names a TLP level that there is not.")
    return level


def audience_of(
    refs: Sequence[str], known: Mapping[str, Marking], default_tlp: str, *, owner: str
) -> Audience:
    """Return who may see what carries these markings; rules 1 to 4 above.

    ``known``: the submitter's own marking definitions, by id.

    Raises:
        UnknownMarking: a reference leads nowhere.
    """
    markings = []
    for ref in refs:
        if ref in _TLP_IDS:
            markings.append(Marking(_TLP_IDS[ref]))
        elif ref in known:
            markings.append(known[ref])
        else:
            raise UnknownMarking(
                f"The marking {ref} is not known here: submit its marking-definition first."
            )
    levels = [m.tlp for m in markings if m.tlp is not None] or [default_tlp]
    lists = [set(m.recipients) for m in markings if m.recipients is not None]
    if "red" in levels and not lists:
        return Audience(NOBODY)
    tier = max(TLP_TIERS[level] for level in levels)
    if not lists:
        return Audience(tier)
    return Audience(tier, tuple(sorted(set.intersection(*lists) - {owner})))


def marking_text(marking: Marking) -> str | None:
    """Return a marking's recipients as JSON, for the table."""
    return None if marking.recipients is None else json.dumps(list(marking.recipients))
