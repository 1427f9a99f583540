"""Every object that may be shared, field by field. This table is the allow-list and the schema.

What any tool makes of the standard alone has a table of its own, in `standard`.
"""

from __future__ import annotations

from typing import Final

from stillwatch.share.catalogue import CATALOGUE, IEP, INTERFACE, RELEASABLE
from stillwatch.share.shape import (
    Closed,
    Constant,
    Flag,
    Id,
    Many,
    OneOf,
    Shape,
    Text,
    Time,
    Whole,
)
from stillwatch.share.words import (
    BANDS,
    CLEAR_KINDS,
    EXT,
    NETWORKS,
    NOTICES,
    OPINIONS,
    SHARED_METHODS,
    SIGNALS,
    TOKEN_KINDS,
    lowest,
)

__all__ = ["BUNDLE", "EXTENSIONS", "FREE_TYPES", "LINKS", "TYPES"]

_BAND: Final = OneOf(BANDS)
_EDGES: Final = tuple(max(1, lowest(name)) for name in BANDS)
_COUNT: Final = Whole(1, 999_999_999, only=_EDGES)
_PERCENT: Final = Whole(0, 100)
_DERIVED: Final = Text(r"[\x20-\x7e]{1,512}", "the text that follows from the other fields")
_PROSE: Final = Text(r"[A-Za-z][\x20-\x7e]{0,499}", "prose of listed words", "closed-prose")
_MEMBER: Final = Id("identity")


_HANDLE: Final = Text("c-[0-9a-f]{12}", "a campaign's id as the scan gives it", "plain-ids")


def _property(**fields: Shape) -> Closed:
    return Closed({"extension_type": Constant("property-extension"), **fields})


# STIX has no empty lists: the field is absent then
_SIGNALS: Final = Many(OneOf(SIGNALS), 1, len(SIGNALS))
_METHODS: Final = Many(OneOf(SHARED_METHODS), 1, len(SHARED_METHODS))
EXTENSIONS: Final[dict[str, Closed]] = {
    "campaign": Closed(
        {
            "extension_type": Constant("property-extension"),
            "handle": _HANDLE,
            "lane": Constant("technical"),
            "accounts": _BAND, "exchanges": _BAND,
            "coordinated": _PERCENT, "extractive": _PERCENT,
        },
        {"methods": _METHODS, "signals": _SIGNALS},
    ),
    "fingerprint": Closed(
        {
            "extension_type": Constant("property-extension"),
            "kind": OneOf((*CLEAR_KINDS, *(f"token_{k}" for k in TOKEN_KINDS))),
            "value": Text("[0-9a-f]{16}|[0-9a-f]{64}", "a fingerprint in hex", "fixed-formats"),
        },
        {"epoch": Text("20[0-9]{2}-(?:0[1-9]|1[0-2])", "an epoch like 2026-11", "fixed-formats")},
    ),
    "infrastructure": _property(
        kind=OneOf(("client_stack", "exit_addresses", "proxy_service", "sign_up_addresses")),
        network=OneOf(NETWORKS), accounts=_BAND,
    ),
    "traffic": _property(handle=_HANDLE, accounts=_BAND, exchanges=_BAND),
    "sighting": _property(band=_BAND),
    "actor": _property(
        claim=Constant("operates"), confidence=_PERCENT,
        basis=_SIGNALS,
        counsel_release=Text("sha256:[0-9a-f]{64}", "the digest of counsel's release",
                             "fixed-formats"),
    ),
    "notice": _property(kind=OneOf(tuple(NOTICES))),
    "aggregate": Closed(
        {
            "extension_type": Constant("property-extension"), "lane": Constant("aggregate"),
            "contributors": OneOf(("5-10", *BANDS[1:])), "largest_share_percent": Whole(0, 25),
            "first_month": Time("day"), "last_month": Time("day"),
            "campaigns": _BAND, "accounts": _BAND, "exchanges": _BAND,
        },
        {"methods": _METHODS},
    ),
}  # fmt: skip


def _extended(*names: str) -> Closed:
    return Closed({EXT[name]: EXTENSIONS[name] for name in names})


def _object(
    kind: str, must: dict[str, Shape], may: dict[str, Shape] | None = None, *, made: bool = True
) -> Closed:
    """Return a domain object: what all of them have, and its own fields."""
    return Closed(
        {
            "type": Constant(kind), "spec_version": Constant("2.1"), "id": Id(kind),
            "created": Time("second"), "modified": Time("second"),
            **({"created_by_ref": _MEMBER} if made else {}),
            "object_marking_refs": Many(OneOf((*RELEASABLE, *IEP.values())), 1, 2),
            **must,
        },
        {"revoked": Flag(), "confidence": _PERCENT, **(may or {})},
    )  # fmt: skip


# Opinions, sightings and corrections are of objects of the standard alone, too
_ABOUT: Final = Id(
    "campaign", "indicator", "infrastructure", "intrusion-set", "threat-actor", version="[45]"
)
_ACTOR: Final[dict[str, Shape]] = {
    "name": _DERIVED, "confidence": _PERCENT, "extensions": _extended("actor"),
}  # fmt: skip
_FROM: Final = Id(
    "campaign", "indicator", "infrastructure", "course-of-action", "intrusion-set", "threat-actor"
)
_TO: Final = Id(
    "campaign", "infrastructure", "attack-pattern", "intrusion-set", "threat-actor"
)  # fmt: skip
_REPORTED: Final = Id(
    "campaign", "indicator", "infrastructure", "attack-pattern", "course-of-action",
    "observed-data", "relationship", "sighting", "opinion", "note", "intrusion-set", "threat-actor",
)  # fmt: skip
FREE_TYPES: Final[dict[str, Closed]] = {
    "campaign": _object(
        "campaign",
        {
            "name": _DERIVED, "description": _DERIVED,
            "first_seen": Time("hour"), "last_seen": Time("hour"),
            "objective": Constant("training data from a model's answers"),
            "confidence": _PERCENT, "extensions": _extended("campaign"),
        },
    ),
    "indicator": _object(
        "indicator",
        {
            "name": _DERIVED, "description": _DERIVED,
            "indicator_types": Many(Constant("anomalous-activity"), 1, 1),
            "pattern": _DERIVED, "pattern_type": Constant("stix"),
            "valid_from": Time("day"), "valid_until": Time("day"),
            "extensions": _extended("fingerprint"),
        },
        {"pattern_version": Constant("2.1")},
    ),
    "infrastructure": _object(
        "infrastructure",
        {
            "name": _DERIVED,
            "infrastructure_types": Many(OneOf(("anonymization", "unknown")), 1, 1),
            "extensions": _extended("infrastructure"),
        },
        {"first_seen": Time("hour"), "last_seen": Time("hour"), "description": _PROSE},
    ),
    "observed-data": _object(
        "observed-data",
        {
            "first_observed": Time("hour"), "last_observed": Time("hour"),
            "number_observed": _COUNT, "object_refs": Many(Constant(INTERFACE["id"]), 1, 1),
            "extensions": _extended("traffic"),
        },
    ),
    "relationship": _object(
        "relationship",
        {
            "relationship_type": OneOf(("attributed-to", "indicates", "mitigates", "uses")),
            "source_ref": _FROM, "target_ref": _TO,
        },
        {"description": _PROSE},
    ),
    "sighting": _object(
        "sighting",
        {
            "sighting_of_ref": Id("campaign", rule="sightings-of-campaigns", version="[45]"),
            "first_seen": Time("day"), "last_seen": Time("day"),
            "count": _COUNT, "extensions": _extended("sighting"),
        },
        {"description": _PROSE},
    ),
    "opinion": _object(
        "opinion", {"opinion": OneOf(OPINIONS), "object_refs": Many(_ABOUT, 1, 1)},
        {"explanation": _PROSE},
    ),
    "note": _object(
        "note",
        {"content": _DERIVED, "object_refs": Many(_ABOUT, 1, 100),
         "extensions": _extended("notice")},
        {"abstract": _PROSE},
    ),
    "report": _object(
        "report",
        {
            "name": _DERIVED, "description": _DERIVED, "published": Time("second"),
            "report_types": Many(Constant("campaign"), 1, 1),
            "object_refs": Many(_REPORTED, 1, 5_000),
        },
        {"extensions": _extended("aggregate")},
    ),
    "intrusion-set": _object("intrusion-set", _ACTOR, {"description": _PROSE}),
    "threat-actor": _object(
        "threat-actor", {**_ACTOR, "threat_actor_types": Many(Constant("unknown"), 1, 1)},
        {"description": _PROSE},
    ),
    "identity": Closed(
        {
            "type": Constant("identity"), "spec_version": Constant("2.1"), "id": Id("identity"),
            "created": Time("second"), "modified": Time("second"), "name": _DERIVED,
            "identity_class": Constant("organization"),
        },
    ),
}  # fmt: skip

# STIX 2.1, appendix B, as far as it is used
LINKS: Final = frozenset(
    {
        ("campaign", "uses", "attack-pattern"), ("campaign", "uses", "infrastructure"),
        ("campaign", "attributed-to", "intrusion-set"),
        ("campaign", "attributed-to", "threat-actor"),
        ("intrusion-set", "attributed-to", "threat-actor"),
        ("intrusion-set", "uses", "attack-pattern"), ("intrusion-set", "uses", "infrastructure"),
        ("threat-actor", "uses", "attack-pattern"), ("threat-actor", "uses", "infrastructure"),
        ("indicator", "indicates", "campaign"), ("indicator", "indicates", "infrastructure"),
        ("indicator", "indicates", "attack-pattern"), ("indicator", "indicates", "intrusion-set"),
        ("indicator", "indicates", "threat-actor"),
        ("course-of-action", "mitigates", "attack-pattern"),
    }
)  # fmt: skip
FIXED_TYPES: Final = tuple(sorted({one["type"] for one in CATALOGUE.values()} - {"identity"}))
TYPES: Final = (*FREE_TYPES, *FIXED_TYPES)
BUNDLE: Final = Closed(
    {"type": Constant("bundle"), "id": Id("bundle")}, {"objects": Many(Closed(), 1, 20_000)}
)
