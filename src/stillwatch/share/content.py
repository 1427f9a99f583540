"""Builds the objects that are shared, from typed values. No caller can put in a text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from stillwatch.errors import ShareRefused
from stillwatch.share.catalogue import ATLAS, CATALOGUE, IEP, INTERFACE, MEASURES, TLP
from stillwatch.share.commercial import messages
from stillwatch.share.shape import read_time
from stillwatch.share.texts import texts_of
from stillwatch.share.words import CLEAR_KINDS, EXT, SIGNALS, band, identify, lowest

__all__ = [
    "SHORTEST_LIFE", "actor", "aggregate", "atlas_id", "campaign", "contributor", "handle_of",
    "indicator", "infrastructure", "measure_links", "note", "observed", "opinion", "relationship",
    "report", "sighting",
]  # fmt: skip

SHORTEST_LIFE: Final = timedelta(days=90)
_SUREST: Final = 99  # percent: rounding makes nothing certain, and 100 would say that it is
_PROPERTY: Final = {"extension_type": "property-extension"}


def _stamp(moment: datetime, *, millis: bool = False) -> str:
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return text + (".000Z" if millis else "Z")


def _hour(moment: datetime) -> str:
    return _stamp(moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0))


def _day(moment: datetime) -> str:
    return _stamp(moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0))


def _moment(value: str | datetime) -> datetime:
    found = value if isinstance(value, datetime) else read_time(value)
    if found is None:
        raise ShareRefused("not a time", hint="give ISO 8601 in UTC")
    return found


def _listed(name: str, values: Iterable[str]) -> dict[str, list[str]]:
    """Return a field with a sorted list; nothing where it is empty: STIX has no empty lists."""
    done = sorted(set(values))
    return {name: done} if done else {}


def _made(
    kind: str, by: str, created: datetime, modified: datetime | None = None, *, tlp: str = "amber",
    **fields: Any,
) -> dict[str, Any]:  # fmt: skip
    """Return a domain object with its markings, derived texts and deterministic id."""
    if tlp not in IEP:
        raise ShareRefused("is no TLP level that leaves", where="tlp", hint=", ".join(IEP))
    made = {
        "type": kind, "spec_version": "2.1", "id": f"{kind}--0",
        "created_by_ref": by, "created": _stamp(created, millis=True),
        "modified": _stamp(modified or created, millis=True), **fields,
        "object_marking_refs": sorted((TLP[tlp], IEP[tlp])),
    }  # fmt: skip
    made.update(texts_of(made))  # an indicator's id follows from its pattern …
    made["id"] = identify(made)
    made.update(texts_of(made))  # … and an operator's name from its id
    return {key: value for key, value in made.items() if value is not None}


def handle_of(campaign_id: str) -> str:
    """Return a campaign's handle: the id that the scan gave it, unless its digits spell something.

    Of random ids 1 in 70 does and would be refused for ever; it is told by a digest of it instead,
    the first that spells nothing, so that a run always tells of a campaign by the same handle.
    """
    made, digits = campaign_id, campaign_id.removeprefix("c-")
    while re.fullmatch("[0-9a-f]{12}", digits) and messages(digits):
        digits = hashlib.sha256(digits.encode()).hexdigest()[:12]
        made = f"c-{digits}"
    return made


def contributor(identifier: str, created: datetime) -> dict[str, Any]:
    """Return the pseudonymous identity of a member; ``identifier``: a random ``identity--`` id."""
    made = {
        "type": "identity", "spec_version": "2.1", "id": identifier,
        "created": _stamp(created, millis=True), "modified": _stamp(created, millis=True),
        "identity_class": "organization",
    }  # fmt: skip
    return {**made, **texts_of(made)}


def campaign(
    line: Mapping[str, Any], *, by: str, modified: datetime, tlp: str = "amber"
) -> dict[str, Any]:
    """Return the campaign of a line of campaigns.jsonl.

    Raises:
        ShareRefused: the campaign is not accused; nothing is said of what was not proven.
    """
    if line["standing"] != "accused":
        raise ShareRefused(
            "only an accused campaign may be shared", where=str(line["campaign_id"])[:14]
        )
    claims = line["claims"]
    coordinated, extractive = (
        min(_SUREST, round(claims[name]["confidence"] * 100))
        for name in ("coordinated", "extractive")
    )
    signals = {
        evidence["signal"] for name in ("coordinated", "extractive")
        for evidence in claims[name]["evidence"]
        if evidence.get("p_value") is not None and evidence["p_value"] < 1e-3
    }  # fmt: skip
    first, last = _moment(line["first_seen"]), _moment(line["last_seen"])
    own = {
        **_PROPERTY, "handle": handle_of(line["campaign_id"]), "lane": "technical",
        "accounts": band(line["accounts"]), "exchanges": band(line["exchanges"]),
        "coordinated": coordinated, "extractive": extractive,
        **_listed("methods", line["methods"]), **_listed("signals", signals & set(SIGNALS)),
    }  # fmt: skip
    return _made(
        "campaign", by, first.replace(minute=0, second=0, microsecond=0), modified, tlp=tlp,
        first_seen=_hour(first), last_seen=_hour(last),
        objective="training data from a model's answers", confidence=min(coordinated, extractive),
        extensions={EXT["campaign"]: own},
    )  # fmt: skip


def indicator(
    kind: str, value: str, *, by: str, since: datetime, until: datetime | None = None,
    epoch: str | None = None, confidence: int | None = None, tlp: str = "amber",
) -> dict[str, Any]:  # fmt: skip
    """Return an indicator: a fingerprint (16 hex digits) or, with ``epoch``, a token (64)."""
    start = _moment(_day(since))
    own = {
        **_PROPERTY, "kind": kind if kind in CLEAR_KINDS else f"token_{kind}", "value": value,
        **({"epoch": epoch} if epoch else {}),
    }  # fmt: skip
    return _made(
        "indicator", by, start, tlp=tlp, indicator_types=["anomalous-activity"],
        pattern_type="stix", valid_from=_stamp(start),
        valid_until=_day(until or start + SHORTEST_LIFE), confidence=confidence,
        extensions={EXT["fingerprint"]: own},
    )  # fmt: skip


def infrastructure(
    kind: str, network: str, accounts: int, *, by: str, created: datetime, tlp: str = "amber"
) -> dict[str, Any]:
    """Return a kind of shared infrastructure, with the band of accounts behind it."""
    proxied = kind in ("exit_addresses", "proxy_service")
    return _made(
        "infrastructure", by, created, tlp=tlp,
        infrastructure_types=["anonymization" if proxied else "unknown"],
        extensions={EXT["infrastructure"]: {
            **_PROPERTY, "kind": kind, "network": network, "accounts": band(accounts)}},
    )  # fmt: skip


def observed(
    seen: Mapping[str, Any], *, by: str, modified: datetime, tlp: str = "amber"
) -> dict[str, Any]:
    """Return what was observed of a shared campaign: requests to a language model, in bands.

    The object observed is a fixed one, the interface, and nobody who used it.
    """
    own = seen["extensions"][EXT["campaign"]]
    traffic = {name: own[name] for name in ("handle", "accounts", "exchanges")}
    return _made(
        "observed-data", by, _moment(seen["created"]), modified, tlp=tlp,
        first_observed=seen["first_seen"], last_observed=seen["last_seen"],
        number_observed=max(1, lowest(own["exchanges"])), object_refs=[INTERFACE["id"]],
        extensions={EXT["traffic"]: {**_PROPERTY, **traffic}},
    )  # fmt: skip


def relationship(
    source: str, kind: str, target: str, *, by: str, created: datetime,
    modified: datetime | None = None, tlp: str = "amber",
) -> dict[str, Any]:  # fmt: skip
    """Return a relationship between two objects."""
    return _made(
        "relationship", by, created, modified, tlp=tlp,
        relationship_type=kind, source_ref=source, target_ref=target,
    )  # fmt: skip


def sighting(
    campaign_id: str, accounts: int, first: datetime, last: datetime, *, by: str,
    created: datetime, tlp: str = "amber",
) -> dict[str, Any]:  # fmt: skip
    """Return "seen here too": of a campaign, in a band and whole days."""
    name = band(accounts)
    return _made(
        "sighting", by, created, tlp=tlp, sighting_of_ref=campaign_id,
        first_seen=_day(first), last_seen=_day(last), count=max(1, lowest(name)),
        extensions={EXT["sighting"]: {**_PROPERTY, "band": name}},
    )  # fmt: skip


def opinion(
    about: str, value: str, *, by: str, created: datetime, tlp: str = "amber"
) -> dict[str, Any]:
    """Return an opinion on one object, from ``strongly-disagree`` to ``strongly-agree``."""
    return _made("opinion", by, created, tlp=tlp, opinion=value, object_refs=[about])


def note(
    kind: str, about: Sequence[str], *, by: str, created: datetime, tlp: str = "amber"
) -> dict[str, Any]:
    """Return a correction of one of the listed kinds; its sentence is fixed."""
    return _made(
        "note", by, created, tlp=tlp, object_refs=sorted(set(about)),
        extensions={EXT["notice"]: {**_PROPERTY, "kind": kind}},
    )  # fmt: skip


def actor(
    kind: str, confidence: int, basis: Iterable[str], release: str, *, by: str,
    created: datetime, tlp: str = "amber+strict",
) -> dict[str, Any]:  # fmt: skip
    """Return a claim about an operator, under a pseudonym, with counsel's release.

    ``kind``: intrusion-set or threat-actor. ``release``: digest of counsel's signed release.
    """
    return _made(
        kind, by, created, tlp=tlp, confidence=confidence,
        threat_actor_types=["unknown"] if kind == "threat-actor" else None,
        extensions={EXT["actor"]: {
            **_PROPERTY, "claim": "operates", "confidence": confidence,
            "basis": sorted(set(basis)), "counsel_release": release}},
    )  # fmt: skip


def report(
    refs: Iterable[str], *, by: str, published: datetime, tlp: str = "amber"
) -> dict[str, Any]:
    """Return a report that names the objects of one release."""
    return _made(
        "report", by, published, tlp=tlp, published=_stamp(published, millis=True),
        report_types=["campaign"], object_refs=sorted(set(refs)),
    )  # fmt: skip


def aggregate(
    figures: Mapping[str, Any], refs: Iterable[str], *, by: str, published: datetime,
    tlp: str = "green",
) -> dict[str, Any]:  # fmt: skip
    """Return a report of the aggregate lane; ``figures``: see ``lanes.combine``."""
    return _made(
        "report", by, published, tlp=tlp, published=_stamp(published, millis=True),
        report_types=["campaign"], object_refs=sorted(set(refs)),
        extensions={EXT["aggregate"]: {**_PROPERTY, "lane": "aggregate", **figures}},
    )  # fmt: skip


def atlas_id(key: str) -> str:
    """Return the id of the fixed object of a MITRE ATLAS technique or mitigation."""
    for one in CATALOGUE.values():
        if any(ref["external_id"] == key for ref in one.get("external_references", ())):
            return str(one["id"])
    raise ShareRefused("is no technique that is shared", where=key, hint=", ".join(ATLAS))


def measure_links(by: str, created: datetime, modified: datetime) -> list[dict[str, Any]]:
    """Return which technical measure mitigates which technique."""
    return [
        relationship(
            atlas_id(measure), "mitigates", atlas_id(technique), by=by, created=created,
            modified=modified,
        )
        for measure, (_, techniques) in MEASURES.items()
        for technique in techniques
    ]  # fmt: skip
