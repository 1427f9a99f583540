"""Objects of STIX 2.1 alone, as any tool makes them: what of the standard may be shared.

They carry no extension of ours, a random id (UUID version 4), times to the microsecond where STIX
has them, and words of an author. What they may hold is as closed as in `objects`: listed fields,
listed values, prose of listed words. There are no bands in them, so nothing is counted; no pattern
with an address in it; no operator, no identity, no course of action: these are in `objects` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from stillwatch.share.catalogue import CATALOGUE, IEP, RELEASABLE
from stillwatch.share.commercial import messages
from stillwatch.share.objects import LINKS
from stillwatch.share.prose import Fault, faults
from stillwatch.share.shape import (
    Closed,
    Constant,
    Flag,
    Many,
    OneOf,
    Shape,
    Text,
    Time,
    Trouble,
    Whole,
)
from stillwatch.share.techniques import ATLAS_NAMES, ATTACK_IDS, PHASES
from stillwatch.share.told import names_trade, spelled, told
from stillwatch.share.words import BANDS, CLEAR_KINDS, OPINIONS, lowest

__all__ = ["STANDARD", "TLP_1", "is_standard", "judge_standard"]

# TLP 1 as STIX 2.1 has it (section 7.2.1.4): white, green, amber. Red never leaves.
TLP_1: Final = (
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
)
_UUID: Final = "[0-9a-f]{8}-[0-9a-f]{4}-%s[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_OWN_ID: Final = re.compile(f"[a-z-]+--{_UUID % '4'}")
_PROSE: Final = Text(r"[A-Za-z][\x20-\x7e]{0,499}", "prose of listed words", "closed-prose")
_LABEL: Final = Text(r"[a-z][a-z0-9]*(?:[ _-][a-z0-9]+){0,4}", "a label of listed words",
                     "closed-prose")  # fmt: skip
_MOMENT: Final = Time("moment")
_PERCENT: Final = Whole(0, 100)
_COUNT: Final = Whole(1, 999_999_999, only=tuple(max(1, lowest(name)) for name in BANDS))
_CVE: Final = "CVE-20[0-9]{2}-[0-9]{4,5}"


def _ref(*kinds: str, rule: str = "plain-ids") -> Text:
    return Text(f"(?:{'|'.join(kinds)})--{_UUID % '[45]'}", f"an id of {' or '.join(kinds)}", rule)


_SUBJECTS: Final = (
    "campaign", "indicator", "infrastructure", "attack-pattern", "observed-data", "relationship",
    "sighting", "opinion", "note", "report", "course-of-action", "intrusion-set", "threat-actor",
)  # fmt: skip
_ABOUT: Final = _ref(*_SUBJECTS)
_SOURCES: Final = {
    "mitre-atlas": "atlas", "MITRE ATLAS": "atlas", "mitre-attack": "attack",
    "MITRE ATT&CK": "attack", "cve": "cve",
}  # fmt: skip
_BEGINS: Final = {"atlas": "AML.", "attack": "T", "cve": "CVE-"}
_REFERENCE: Final = Closed(
    {"source_name": OneOf(tuple(_SOURCES))},
    {
        "external_id": Text(
            "|".join(sorted(map(re.escape, (*ATLAS_NAMES, *ATTACK_IDS)))) + f"|{_CVE}",
            "a listed public id",
        ),
        "url": Text(r"https://[a-z.]{9,15}(?:/[A-Za-z0-9./-]{0,30})?", "the page of the id"),
        "description": _PROSE,
    },
)
_PHASE: Final = Closed(
    {
        "kill_chain_name": OneOf(tuple(PHASES)),
        "phase_name": OneOf(tuple(sorted({one for row in PHASES.values() for one in row}))),
    }
)
_CHAIN: Final[dict[str, Shape]] = {"kill_chain_phases": Many(_PHASE, 1, 6)}
_ALIASES: Final[dict[str, Shape]] = {"aliases": Many(_PROSE, 1, 5)}
_SEEN: Final[dict[str, Shape]] = {"first_seen": Time("hour"), "last_seen": Time("hour")}
_DESCRIBED: Final[dict[str, Shape]] = {"description": _PROSE}


def _object(kind: str, must: dict[str, Shape], may: dict[str, Shape] | None = None) -> Closed:
    return Closed(
        {
            "type": Constant(kind), "spec_version": Constant("2.1"),
            "id": Text(f"{kind}--{_UUID % '4'}", f"a random id of {kind}", "plain-ids"),
            "created": _MOMENT, "modified": _MOMENT, "created_by_ref": _ref("identity"), **must,
        },
        {
            "revoked": Flag(), "confidence": _PERCENT, "lang": OneOf(("en", "en-GB", "en-US")),
            "labels": Many(_LABEL, 1, 8), "external_references": Many(_REFERENCE, 1, 6),
            "object_marking_refs": Many(OneOf((*RELEASABLE, *TLP_1, *IEP.values())), 1, 2),
            **(may or {}),
        },
    )  # fmt: skip


_FINGERPRINT: Final = rf"\[x-stillwatch-value:(?:{'|'.join(CLEAR_KINDS)}) = '[0-9a-f]{{16}}'\]"
STANDARD: Final[dict[str, Closed]] = {
    "campaign": _object(
        "campaign", {"name": _PROSE}, {**_DESCRIBED, **_ALIASES, **_SEEN, "objective": _PROSE}
    ),
    "indicator": _object(
        "indicator",
        {
            "pattern": Text(_FINGERPRINT, "a pattern with one fingerprint", "no-free-text"),
            "pattern_type": Constant("stix"), "valid_from": _MOMENT,
        },
        {
            "name": _PROSE, **_DESCRIBED, **_CHAIN, "valid_until": _MOMENT,
            "pattern_version": Constant("2.1"),
            "indicator_types": Many(OneOf((
                "anomalous-activity", "anonymization", "benign", "compromised",
                "malicious-activity", "attribution", "unknown",
            )), 1, 3),
        },
    ),
    "infrastructure": _object(
        "infrastructure",
        {"name": _PROSE},
        {
            **_DESCRIBED, **_ALIASES, **_SEEN, **_CHAIN,
            "infrastructure_types": Many(OneOf((
                "anonymization", "botnet", "command-and-control", "exfiltration", "phishing",
                "reconnaissance", "staging", "undefined", "unknown",
            )), 1, 3),
        },
    ),
    "attack-pattern": _object(
        "attack-pattern", {"name": _PROSE}, {**_DESCRIBED, **_ALIASES, **_CHAIN}
    ),
    "note": _object(
        "note", {"content": _PROSE, "object_refs": Many(_ABOUT, 1, 100)}, {"abstract": _PROSE}
    ),
    "opinion": _object(
        "opinion",
        {"opinion": OneOf(OPINIONS), "object_refs": Many(_ABOUT, 1, 100)},
        {"explanation": _PROSE},
    ),
    "sighting": _object(
        "sighting",
        {"sighting_of_ref": _ref("campaign", rule="sightings-of-campaigns")},
        {**_DESCRIBED, "first_seen": Time("day"), "last_seen": Time("day"), "count": _COUNT},
    ),
    "relationship": _object(
        "relationship",
        {
            "relationship_type": OneOf((
                "uses", "indicates", "mitigates", "related-to", "derived-from",
                "duplicate-of", "communicates-with", "consists-of",
            )),
            "source_ref": _ABOUT, "target_ref": _ABOUT,
        },
        _DESCRIBED,
    ),
    "report": _object(
        "report",
        {"name": _PROSE, "published": _MOMENT, "object_refs": Many(_ABOUT, 1, 5_000)},
        {
            **_DESCRIBED,
            "report_types": Many(OneOf((
                "attack-pattern", "campaign", "indicator", "observed-data", "threat-report",
            )), 1, 3),
        },
    ),
}  # fmt: skip
_NAMES: Final = frozenset({"name", "aliases", "abstract"})
_SAYS: Final = ("name", "aliases", "description", "objective", "content", "abstract", "explanation")
_ACTORS: Final = frozenset({"intrusion-set", "threat-actor"})  # released by counsel, elsewhere
_SAME: Final = ("derived-from", "duplicate-of")
_WORD: Final = re.compile("[a-z0-9][a-z0-9'-]*")
_KNOWN_LABELS: Final = frozenset(
    {"adversarial-distillation", "ai", "automation", "coordinated", "cot", "distillation", "genai",
     "llm", "malicious-activity", "mitre-atlas", "ml"}
)  # fmt: skip
_TITLES: Final = frozenset(ATLAS_NAMES.values())  # of a technique, as MITRE has them


def is_standard(obj: Mapping[str, Any]) -> bool:
    """Return whether an object is one of the standard alone: a random id and no extension."""
    kind, own = obj.get("type"), obj.get("id")
    return (
        isinstance(kind, str) and kind in STANDARD and "extensions" not in obj
        and isinstance(own, str) and _OWN_ID.fullmatch(own) is not None
    )  # fmt: skip


def judge_standard(obj: Mapping[str, Any], *, now: datetime) -> Iterator[Trouble]:
    """Yield what is wrong with the words and references of an object whose shape was checked.

    Ids and times are judged as those of all objects are (`antitrust`).
    """
    for name in _SAYS:
        value = obj.get(name)
        for text in value if isinstance(value, list) else () if value is None else (value,):
            if obj["type"] != "attack-pattern" or text not in _TITLES:
                title = name in _NAMES and not (name == "abstract" and text.endswith("."))
                yield from _told(name, faults(text, now=now, name=title))
    yield from _named_together(obj)
    yield from _labelled(obj.get("labels", ()), now)
    yield from _referred(obj, now)
    for name in ("external_references", "kill_chain_phases"):
        rows = obj.get(name, ())
        if len({tuple(sorted(row.items())) for row in rows}) != len(rows):
            yield Trouble("closed-shape", name, "repeats a value")
    for one in obj.get("kill_chain_phases", ()):
        if one["phase_name"] not in PHASES[one["kill_chain_name"]]:
            yield Trouble("closed-values", "kill_chain_phases", "is no phase of this kill chain")
    if any(map(messages, re.findall("'([0-9a-f]{16})'", obj.get("pattern", "")))):
        yield Trouble("fixed-formats", "pattern", "is no digest: it spells something")
    if len(set(obj.get("object_marking_refs", ())) & {*RELEASABLE, *TLP_1}) > 1:
        yield Trouble("marked", "object_marking_refs", "must hold one TLP marking at most")
    if obj["type"] == "relationship":
        yield from _linked(obj)
    yield from _accused(obj)


def _told(where: str, found: list[Fault]) -> Iterator[Trouble]:
    if found:
        yield Trouble("closed-prose", where, "is no prose of listed words")
    for fault in found:
        yield Trouble(fault.rule, where, fault.says)


def _named_together(obj: Mapping[str, Any]) -> Iterator[Trouble]:
    """A name and its aliases each name a thing, and in a row they make no sentence and no word."""
    names = sorted(obj.get("aliases", ()))
    rows = [_WORD.findall(one.lower()) for one in (obj["name"], *names)] if names else []
    parted = [part for words in rows for part in (*words, ",")]
    joined = [part for words in rows for part in words]
    if rows:
        found = [*told(parted), *told(joined), *spelled(rows)]
        yield from _told("aliases", list(dict.fromkeys(found)))


def _labelled(labels: Sequence[str], now: datetime) -> Iterator[Trouble]:
    """Each label is a title, and names a thing of the trade, so that several make no sentence."""
    rest = [re.split("[ _-]", one) for one in sorted(set(labels) - _KNOWN_LABELS)]
    if not all(map(names_trade, rest)):
        yield Trouble("closed-prose", "labels", "holds a label that names no thing of the trade")
    for words in rest:
        yield from _told("labels", faults(" ".join(words).capitalize(), now=now, name=True))
    if rest:
        yield from _told("labels", list(told([part for words in rest for part in (*words, ",")])))


def _referred(obj: Mapping[str, Any], now: datetime) -> Iterator[Trouble]:
    """References name a listed id or a front page, and nothing that does not follow from it."""
    for one in obj.get("external_references", ()):
        kind, key = _SOURCES[one["source_name"]], one.get("external_id", "")
        if len(one) == 1:
            yield Trouble("closed-values", "external_references", "names nothing")
        if key and not key.startswith(_BEGINS[kind]):
            yield Trouble("closed-values", "external_references", "is no id of this source")
        elif kind == "cve" and key and int(key[4:8]) > now.year:
            yield Trouble("closed-values", "external_references", "holds an id of the future")
        if "url" in one and one["url"].removesuffix("/") not in _pages(kind, key):
            yield Trouble("closed-values", "external_references", "has not the page of its id")
        if "description" in one and one["description"] != ATLAS_NAMES.get(key):
            yield from _told("external_references", faults(one["description"], now=now))


def _pages(kind: str, key: str) -> tuple[str, ...]:
    """Return the addresses that a reference may have: MITRE's front page, or that of its id."""
    if kind == "cve":
        return (f"https://nvd.nist.gov/vuln/detail/{key}",)
    front = f"https://{kind}.mitre.org"
    return front, f"{front}/techniques/{key if kind == 'atlas' else key.replace('.', '/')}"


def _accused(obj: Mapping[str, Any]) -> Iterator[Trouble]:
    """An operator is judged in an opinion of it alone: to list it beside anything is a claim.

    A report or note that lists a campaign and an operator would attribute the one to the other,
    without the claim, its confidence and counsel's release; and so would prose about an operator.
    """
    refs = obj.get("object_refs", ())
    if any(one.split("--")[0] in _ACTORS for one in refs):
        if obj["type"] != "opinion" or len(refs) > 1:
            yield Trouble("released-actor", "object_refs", "lists an operator, without a release")
        elif "explanation" in obj:
            says = "tells of an operator, without a release"
            yield Trouble("released-actor", "explanation", says)


_MORE_LINKS: Final = frozenset(
    {
        ("infrastructure", "communicates-with", "infrastructure"),
        ("infrastructure", "consists-of", "infrastructure"),
    }
)


def _linked(obj: Mapping[str, Any]) -> Iterator[Trouble]:
    """A relationship of STIX 2.1, appendix B, or one that all objects may have (section 5.1)."""
    kind = obj["relationship_type"]
    source, target = (obj[name].split("--")[0] for name in ("source_ref", "target_ref"))
    common = kind == "related-to" or (kind in _SAME and source == target)
    if not common and (source, kind, target) not in LINKS | _MORE_LINKS:
        yield Trouble("typed-links", "relationship_type", "does not join these kinds")
    if {source, target} & _ACTORS:
        yield Trouble("released-actor", "relationship_type", "joins an operator, without a release")
    if obj["source_ref"] == obj["target_ref"]:
        yield Trouble("typed-links", "target_ref", "is the source itself")
    for name in ("source_ref", "target_ref"):
        if obj[name].startswith("course-of-action--") and obj[name] not in CATALOGUE:
            yield Trouble("fixed-objects", name, "is none of the fixed objects")
