"""What a contributor's word is worth: its record, and what poisoners gain by lying.

1. A contributor starts with little weight and earns more when others, who are not it, see the same
   campaigns or agree; it loses when they disagree, and most when an appeal against it is upheld.
2. Each other member counts once a campaign, whatever it repeats.
3. Evidence decays with a half-life of 180 days; a record that is not renewed returns to the start.
4. Whoever claims a canary, a value that was planted and occurs nowhere, weighs nothing.
5. What is on a warninglist (public benchmarks, popular templates, cloud NATs) is dropped.
6. One contributor's indicators are capped in number and in weight: beyond it a person looks.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from stillwatch.schema import Indicator
from stillwatch.share.shape import read_time
from stillwatch.share.words import extended

__all__ = ["LARGEST_WEIGHT", "MOST_INDICATORS", "Record", "indicators_of", "records", "screen"]

_QUOTED: Final = re.compile("'([^']*)'")  # what a pattern compares with
_HALF_LIFE: Final = timedelta(days=180)
_START: Final = (1.0, 3.0)  # as if one of four earlier words had been right
LARGEST_WEIGHT: Final = 0.8
MOST_INDICATORS: Final = 1_000
_OPINIONS: Final = {
    "strongly-agree": (1.0, 0.0), "agree": (0.5, 0.0), "neutral": (0.0, 0.0),
    "disagree": (0.0, 1.0), "strongly-disagree": (0.0, 2.0),
}  # fmt: skip
_SIGHTING: Final = (1.0, 0.0)
_REVOKED: Final = (0.0, 0.25)  # cheap: who corrects itself must not be deterred from it
_UPHELD: Final = (0.0, 4.0)


@dataclass(frozen=True)
class Record:
    """How often a contributor was right and wrong, by decayed weight, beyond the start."""

    right: float
    wrong: float
    canary: bool = False

    @property
    def weight(self) -> float:
        """The share of right among all, in [0, 0.8]; 0 once a canary was claimed."""
        if self.canary:
            return 0.0
        right, wrong = _START[0] + self.right, _START[1] + self.wrong
        return round(min(LARGEST_WEIGHT, right / (right + wrong)), 6)


def records(
    objects: Iterable[Mapping[str, Any]], *, now: datetime,
    canaries: frozenset[str] = frozenset(), arbiters: frozenset[str] = frozenset(),
) -> dict[str, Record]:  # fmt: skip
    """Return every contributor's record from all objects that were received, latest versions.

    ``canaries``: values of planted fingerprints and ids of planted campaigns. ``arbiters``:
    identities that may decide appeals, such as the hub's.
    """
    objects = list(objects)
    owner = {o["id"]: o["created_by_ref"] for o in objects if "created_by_ref" in o}
    campaign_of = {
        o["source_ref"]: o["target_ref"] for o in objects
        if o["type"] == "relationship" and o["relationship_type"] == "indicates"
    }  # fmt: skip
    strongest: dict[tuple[str, str, str], tuple[float, float]] = {}
    lying = set()
    for obj in objects:
        by = obj.get("created_by_ref", "")
        if _claims_canary(obj, canaries):
            lying.add(by)
        for about, (right, wrong) in _votes(obj):
            subject = campaign_of.get(about, about)
            accused = owner.get(subject)
            own_word = obj.get("revoked") is True and obj["type"] == "campaign"
            if accused is None or (accused == by and not own_word):
                continue
            if obj["type"] == "note" and by not in arbiters:
                continue
            fading = 0.5 ** (max(timedelta(0), now - _when(obj, now)) / _HALF_LIFE)
            key = (by, subject, "own" if own_word else "other")
            new = (right * fading, wrong * fading)
            old = strongest.get(key, (0.0, 0.0))
            strongest[key] = max(old, new, key=lambda pair: (pair[1], pair[0]))
    right_of: dict[str, float] = defaultdict(float)
    wrong_of: dict[str, float] = defaultdict(float)
    for (_, subject, _), (right, wrong) in sorted(strongest.items()):
        right_of[owner[subject]] += right
        wrong_of[owner[subject]] += wrong
    return {
        member: Record(right_of[member], wrong_of[member], member in lying)
        for member in sorted({*owner.values(), *lying} - {""})
    }


def _votes(obj: Mapping[str, Any]) -> list[tuple[str, tuple[float, float]]]:
    """Return what an object says of others' objects: (id, (right, wrong))."""
    kind = obj["type"]
    if kind == "campaign":
        return [(obj["id"], _REVOKED)] if obj.get("revoked") else []
    if obj.get("revoked"):
        return []
    if kind == "sighting":
        return [(obj["sighting_of_ref"], _SIGHTING)]
    if kind == "opinion":
        return [(ref, _OPINIONS[obj["opinion"]]) for ref in obj["object_refs"]]
    if kind == "note" and extended(obj, "notice").get("kind") == "appeal_upheld":
        return [(ref, _UPHELD) for ref in obj["object_refs"]]
    return []


def _claims_canary(obj: Mapping[str, Any], canaries: frozenset[str]) -> bool:
    if obj["type"] == "indicator":
        # one of the standard alone has its value in the pattern alone
        values = {
            extended(obj, "fingerprint").get("value"),
            *_QUOTED.findall(obj.get("pattern", "")),
        }
        return not canaries.isdisjoint(values)
    return obj["type"] == "sighting" and obj["sighting_of_ref"] in canaries


def _when(obj: Mapping[str, Any], now: datetime) -> datetime:
    return read_time(obj.get("modified")) or now


def indicators_of(
    objects: Iterable[Mapping[str, Any]], *, now: datetime,
    canaries: frozenset[str] = frozenset(), arbiters: frozenset[str] = frozenset(),
) -> list[Indicator]:  # fmt: skip
    """Return the indicators that are in force, each with its contributor's weight, sorted.

    Left out: revoked ones, those of revoked campaigns, of open or upheld appeals, and run-out ones.
    """
    objects = list(objects)
    known = records(objects, now=now, canaries=canaries, arbiters=arbiters)
    by_id = {o["id"]: o for o in objects}
    halted = _halted(objects, arbiters)
    found = []
    for link in objects:
        if link["type"] != "relationship" or link["relationship_type"] != "indicates":
            continue
        one, seen = by_id.get(link["source_ref"]), by_id.get(link["target_ref"])
        if one is None or seen is None or seen["type"] != "campaign":
            continue
        # nobody may attach an indicator to another member's campaign
        same = one["created_by_ref"] == seen["created_by_ref"] == link["created_by_ref"]
        gone = any(o.get("revoked") or o["id"] in halted for o in (one, seen, link))
        own = extended(one, "fingerprint")
        if not own:  # of the standard alone: for people to read, a scan matches what has our form
            continue
        start, end = read_time(one["valid_from"]), read_time(one["valid_until"])
        if not same or gone or start is None or end is None or not start <= now < end:
            continue
        weight = known[one["created_by_ref"]].weight
        if weight > 0 and own["value"] not in canaries:
            found.append(_indicator(one, seen["id"], weight, start, end))
    return sorted(found, key=lambda i: (i.kind, i.value, i.indicator_id, i.campaign_id))


def _indicator(
    one: Mapping[str, Any], campaign_id: str, weight: float, start: datetime, end: datetime
) -> Indicator:
    own = extended(one, "fingerprint")
    return Indicator(one["id"], own["kind"], own["value"], own.get("epoch"), campaign_id,
                     one["created_by_ref"], weight, start, end)  # fmt: skip


def _halted(objects: Iterable[Mapping[str, Any]], arbiters: frozenset[str]) -> set[str]:
    """Return what an appeal or correction stands against: the latest note on an object decides.

    Anybody may open an appeal, since waiting harms nobody; only an arbiter or the object's owner
    may decide it, withdraw the object or ask for its deletion.
    """
    objects = list(objects)
    owner = {o["id"]: o.get("created_by_ref") for o in objects}
    latest: dict[str, tuple[str, str, str]] = {}
    for note in objects:
        if note["type"] != "note" or note.get("revoked"):
            continue
        kind, by = extended(note, "notice").get("kind"), note["created_by_ref"]
        if kind is None:  # it tells something, and asks for nothing
            continue
        for ref in note["object_refs"]:
            if kind == "appeal_opened" or by in arbiters or by == owner.get(ref):
                latest[ref] = max(
                    latest.get(ref, ("", "", "")), (note["created"], note["id"], kind)
                )
    return {ref for ref, (_, _, kind) in latest.items() if kind != "appeal_denied"}


def screen(
    found: Iterable[Indicator], *, warninglist: frozenset[str] = frozenset(),
    most: int = MOST_INDICATORS,
) -> tuple[list[Indicator], dict[str, int]]:  # fmt: skip
    """Return what may be used, and how many were left out by reason.

    A contributor with more than ``most`` indicators is left out whole, for a person to look at:
    a flood is how a false flag would begin.
    """
    kept, counts = [], {"warninglist": 0, "flood": 0}
    by_member: dict[str, list[Indicator]] = defaultdict(list)
    for one in found:
        by_member[one.contributor].append(one)
    for member in sorted(by_member):
        mine = by_member[member]
        if len(mine) > most:
            counts["flood"] += len(mine)
            continue
        useful = [one for one in mine if one.value not in warninglist]
        counts["warninglist"] += len(mine) - len(useful)
        kept += useful
    return sorted(kept, key=lambda i: (i.kind, i.value, i.indicator_id, i.campaign_id)), counts
