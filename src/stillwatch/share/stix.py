"""Accused campaigns as a STIX 2.1 bundle: what was seen of each, without anybody's identity."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from stillwatch.errors import ShareRefused
from stillwatch.share import content
from stillwatch.share.catalogue import CATALOGUE, FIRST, PROVIDER
from stillwatch.share.shape import read_time
from stillwatch.share.words import EXT, SPACE

__all__ = ["bundle", "bundle_of", "campaign_objects"]

_ALWAYS: Final = ("AML.T0024.002", "AML.T0040")


def bundle(campaigns: Iterable[Mapping[str, Any]], created: str) -> dict[str, Any]:
    """Return the bundle of all accused campaigns. ``created``: end of the window, ISO 8601 Z.

    Raises:
        ShareRefused: ``created`` is no time.
    """
    modified = read_time(created)
    if modified is None:
        raise ShareRefused("not a time", where="created", hint="give ISO 8601 in UTC")
    objects: list[dict[str, Any]] = []
    names = []
    for line in campaigns:
        if line["standing"] == "accused":
            names.append(str(line["campaign_id"]))
            objects += campaign_objects(line, by=PROVIDER["id"], modified=modified)
    return bundle_of([PROVIDER, *objects], key=created + ":" + ",".join(names))


def campaign_objects(
    line: Mapping[str, Any], *, by: str, modified: datetime,
    indicators: Iterable[Mapping[str, Any]] = (), tlp: str = "amber",
) -> list[dict[str, Any]]:  # fmt: skip
    """Return a campaign with its traffic, infrastructure, indicators and links to techniques.

    ``indicators``: rows with ``kind``, ``value`` and, for tokens, ``epoch``.
    """
    seen = content.campaign(line, by=by, modified=modified, tlp=tlp)
    own = seen["extensions"][EXT["campaign"]]
    start = read_time(seen["created"]) or modified
    modified = max(modified, start)
    made = [seen, content.observed(seen, by=by, modified=modified, tlp=tlp)]
    techniques = list(_ALWAYS)
    if not {"shared_exits", "rotating_exits", "crossed_cards"}.isdisjoint(own.get("signals", ())):
        techniques.append("AML.T0008.005")
        exits = content.infrastructure(
            "exit_addresses", "unknown", int(line["accounts"]), by=by, created=start, tlp=tlp
        )
        made += [exits, _link(seen, "uses", exits["id"], by, start, tlp)]
    if "signup_burst" in own.get("signals", ()):
        techniques.append("AML.T0021")
    made += [_link(seen, "uses", content.atlas_id(key), by, start, tlp) for key in techniques]
    for row in sorted(indicators, key=lambda r: (r["kind"], r["value"])):
        one = content.indicator(
            row["kind"], row["value"], by=by, since=modified, epoch=row.get("epoch"), tlp=tlp
        )
        made += [one, _link(one, "indicates", seen["id"], by, modified, tlp)]
    return made


def _link(
    source: Mapping[str, Any], kind: str, target: str, by: str, created: datetime, tlp: str
) -> dict[str, Any]:
    return content.relationship(source["id"], kind, target, by=by, created=created, tlp=tlp)


def bundle_of(objects: Iterable[Mapping[str, Any]], *, key: str) -> dict[str, Any]:
    """Return a bundle of the objects, each once, with the fixed objects that they refer to.

    ``key``: what the bundle's id is made of, so that the same run gives the same bytes.
    """
    made: dict[str, dict[str, Any]] = {}
    waiting = [dict(one) for one in objects]
    if any(one["type"] == "campaign" for one in waiting):
        waiting += _techniques(waiting)
    while waiting:
        one = waiting.pop(0)
        if made.setdefault(one["id"], one) is not one:
            continue
        waiting += [
            CATALOGUE[ref] for ref in _references(one) if ref in CATALOGUE and ref not in made
        ]
    return {
        "type": "bundle", "id": f"bundle--{uuid.uuid5(SPACE, f'bundle:{key}')}",
        "objects": list(made.values()),
    }  # fmt: skip


def _techniques(objects: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the technical measures against the techniques in use, and how they are joined."""
    used = {one["target_ref"] for one in objects if one["type"] == "relationship"}
    first = read_time(FIRST)
    assert first is not None
    links = [
        one for one in content.measure_links(PROVIDER["id"], first, first)
        if one["target_ref"] in used
    ]  # fmt: skip
    return [PROVIDER, *links]


def _references(one: Mapping[str, Any]) -> list[str]:
    found = [one[name] for name in ("created_by_ref", "source_ref", "target_ref") if name in one]
    lists = (one.get(name, ()) for name in ("object_marking_refs", "object_refs", "extensions"))
    return [*found, *(ref for refs in lists for ref in refs)]
