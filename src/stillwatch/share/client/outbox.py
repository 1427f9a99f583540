"""What is put into the outbox: campaigns, sightings, opinions, corrections. Nothing leaves here."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from stillwatch.errors import ShareRefused
from stillwatch.share import content
from stillwatch.share.antitrust import normal, refusals
from stillwatch.share.catalogue import CATALOGUE, IEP, INTERFACE
from stillwatch.share.client.home import Home, stamp
from stillwatch.share.client.known import known_to
from stillwatch.share.client.packages import Package, packages, write_package
from stillwatch.share.commercial import messages
from stillwatch.share.legal import in_force
from stillwatch.share.shape import version_of
from stillwatch.share.stix import campaign_objects
from stillwatch.share.words import extended

__all__ = ["appeal", "opine", "prepare", "prepare_campaign", "revoke", "sight"]

# A sighting that left at once would tell when its sender looked: rule 3, delay with jitter.
_DELAY: Final = timedelta(hours=6)
_JITTER_S: Final = 42 * 3600
# What refers to others follows them: a hub takes no reference to what it has not.
_AFTER: Final = {"relationship": 1, "sighting": 1, "opinion": 1, "note": 1, "report": 2}
_TRAVEL: Final = frozenset({*IEP.values(), INTERFACE["id"]})


def prepare(
    home: Home, objects: Iterable[Mapping[str, Any]], purpose: str, *, now: datetime,
    not_before: datetime | None = None,
) -> Package:  # fmt: skip
    """Put objects into the outbox, once the guard and a legal basis let them.

    Raises:
        ShareRefused: names every rule that is broken; the refusal is in the ledger.
    """
    given = [dict(one) for one in objects]
    marks = {
        ref for one in given for name in ("object_marking_refs", "object_refs")
        for ref in one.get(name, ()) if ref in _TRAVEL
    }  # fmt: skip
    done = [normal(CATALOGUE[ref]) for ref in sorted(marks)]
    done += sorted(
        (normal(one) for one in given),
        key=lambda o: (_AFTER.get(o["type"], 0), o["id"], version_of(o)),
    )
    known = known_to(home, done)
    found = [
        f"{one.get('type')}: {why}" for one in done for why in refusals(one, now=now, known=known)
    ]
    with home.ledger() as ledger:
        if found:
            ledger.record({"what": "denied", "at": stamp(now), "purpose": purpose,
                           "reasons": sorted(set(found))})  # fmt: skip
            raise ShareRefused("; ".join(sorted(set(found))[:5]), hint="see docs/antitrust.md")
        in_force(home.bases, purpose, now=now)
        made = write_package(home, done, purpose, not_before=not_before)
        ledger.record({"what": "prepared", "at": stamp(now), "package": made.digest,
                       "purpose": purpose, "objects": len(done)})  # fmt: skip
    return made


def prepare_campaign(
    home: Home, line: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], *, now: datetime,
    description: str = "",
) -> Package:  # fmt: skip
    """Put an accused campaign with its indicators into the outbox.

    ``rows``: ``kind``, ``value`` and, for tokens, ``epoch``. A value that happens to look like a
    message is left out: the guard would refuse it. ``description``: prose instead of the computed
    one; it passes by the rules of `prose`, or nothing is prepared.
    """
    moment = now.replace(minute=0, second=0, microsecond=0)
    clean = [row for row in rows if not messages(row["value"])]
    made = campaign_objects(
        line, by=home.contributor, modified=moment, indicators=clean, tlp=home.tlp
    )
    # The fixed objects are part of every member's distribution and stay there, but for markings
    # and the observed interface, which a hub must know: a hub that puts the sender's pseudonym
    # under everything would change them, and some servers take an extension definition's `version`
    # for that of the TAXII object and fail on it (medallion 3.0.0).
    told = [one for one in made if one["id"] not in CATALOGUE]
    if description:
        told = [
            one | {"description": description} if one["type"] == "campaign" else one for one in told
        ]
    return prepare(home, told, "detection", now=now)


def sight(
    home: Home, campaign_id: str, accounts: int, first: datetime, last: datetime, *,
    now: datetime, rng: random.Random,
) -> Package:  # fmt: skip
    """Say "seen here too": in a band, in days, and not before 6 to 48 hours from now."""
    wait = _DELAY + timedelta(seconds=rng.randrange(_JITTER_S))
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    made = content.sighting(
        campaign_id, accounts, first, last, by=home.contributor, created=day, tlp=home.tlp
    )
    return prepare(home, [made], "detection", now=now, not_before=now + wait)


def opine(home: Home, about: str, value: str, *, now: datetime) -> Package:
    """Say how far one agrees with an object."""
    made = content.opinion(
        about, value, by=home.contributor, created=now.replace(microsecond=0), tlp=home.tlp
    )
    return prepare(home, [made], "detection", now=now)


def appeal(home: Home, about: Sequence[str], kind: str, *, now: datetime) -> Package:
    """Open an appeal, or say how it ended; goes to everyone who received what it is about."""
    made = content.note(
        kind, about, by=home.contributor, created=now.replace(microsecond=0), tlp=home.tlp
    )
    return prepare(home, [made], "correction", now=now)


def _with(going: set[str], latest: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Return ids with what hangs on them: links, indicators, infrastructure, observations."""
    handles = {
        extended(latest[one], "campaign")["handle"]
        for one in going if extended(latest[one], "campaign")
    }  # fmt: skip
    found = set(going)
    for one in latest.values():
        if one["type"] == "relationship" and going & {one["source_ref"], one["target_ref"]}:
            ends = {one["source_ref"], one["target_ref"]}
            found |= {one["id"], *(e for e in ends & latest.keys() if not e.startswith("campaign"))}
        elif one["type"] == "observed-data" and extended(one, "traffic")["handle"] in handles:
            found.add(one["id"])
    return found


def _renewed(one: Mapping[str, Any], now: datetime) -> str:
    """Return the time of a new version: now in whole seconds, or the second after the last one."""
    least = version_of(one).replace(microsecond=0) + timedelta(seconds=1)
    moment = max(now.replace(microsecond=0), least)
    return moment.isoformat().replace("+00:00", ".000Z")


def revoke(home: Home, ids: Sequence[str], *, now: datetime) -> Package:
    """Take back objects that this member sent: revoked versions, and a note to delete them.

    A campaign takes with it its indicators, infrastructure, observations and relationships.

    Raises:
        ShareRefused: an id is none of this member's own.
    """
    latest: dict[str, dict[str, Any]] = {}
    for package in packages(home):
        for one in package.objects:
            if one.get("created_by_ref") == home.contributor and "modified" in one:
                old = latest.get(one["id"])
                if old is None or version_of(old) <= version_of(one):
                    latest[one["id"]] = one
    unknown = [one for one in ids if one not in latest or one in CATALOGUE]
    if unknown:
        raise ShareRefused(f"{len(unknown)} of the ids are no objects that you sent")
    going = _with(set(ids), latest)
    gone = [
        {**latest[one], "revoked": True, "modified": _renewed(latest[one], now)}
        for one in sorted(going)
    ]  # fmt: skip
    told = sorted(
        one for one in going
        if one.split("--")[0] in ("campaign", "indicator", "infrastructure", "intrusion-set",
                                  "threat-actor")
    )  # fmt: skip
    note = content.note(
        "deletion", told, by=home.contributor, created=now.replace(microsecond=0), tlp=home.tlp
    )
    return prepare(home, [*gone, note], "correction", now=now)
