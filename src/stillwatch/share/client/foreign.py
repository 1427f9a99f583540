"""STIX 2.1 of anybody's making, from a file → indicators for a scan; what is dropped is told.

Ordinary bundles have random ids, milliseconds and fields of their own. None of it matters here:
nothing of them is shared further, and of each indicator only a fingerprint that a scan can match is
read, from its pattern or the extension of ours that it carries.

1. A source weighs what a newcomer weighs: nobody vouches for it, and its links accuse nobody.
2. Reading needs a legal basis and is in the ledger, as a pull is.
3. Importing a source again replaces what it said: corrections travel by the next file.
4. Of an object's versions the newest counts, and what one of them revokes is revoked, an indicator
   with its campaign. One's own indicators are nobody else's word.
5. What several sources carry weighs once: an object, and all objects of one creator, are the word
   of the first of the sources by name, or of the creator where the hub knows it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from stillwatch.errors import ConfigError, InputError
from stillwatch.schema import Indicator, indicator_of, parse_time, write_whole
from stillwatch.seal import canonical
from stillwatch.share.client.home import Home, stamp
from stillwatch.share.legal import in_force
from stillwatch.share.trust import Record
from stillwatch.share.words import CLEAR_KINDS, EXT

__all__ = ["IMPORTED", "Imported", "import_stix", "imported"]

IMPORTED: Final = "imported.json"
_MOST_BYTES: Final = 50_000_000
_LONGEST: Final = timedelta(days=180)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_SOURCE: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}")
_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,60}")
_ID: Final = re.compile(r"[a-z0-9-]{3,60}--[0-9a-f-]{36}")
_VALUE: Final = re.compile(r"\[x-stillwatch-value:([a-z0-9_]+) = '([0-9a-f]{16})'\]")
_OF_WHAT: Final = re.compile(r"[\s(\[]*([a-z0-9][a-z0-9-]{1,60}):")
_TOKEN: Final = "a token under keys of another exchange"  # noqa: S105 - a reason, no secret


@dataclass(frozen=True)
class Imported:
    """How many objects were read and indicators used, and why how many others were dropped."""

    read: int
    used: int
    dropped: dict[str, int]


class _Dropped(Exception):
    """Why one object is of no use here."""


def import_stix(home: Home, file: Path, *, source: str, purpose: str, now: datetime) -> Imported:
    """Keep the usable indicators of a STIX file under the name of its source.

    ``file``: a bundle, a TAXII envelope, a list of objects, or one object.

    Raises:
        InputError: it cannot be read, is too large or no STIX; a source's name is none.
        ShareRefused: rules ``purpose`` and ``legal-basis``.
    """
    if not _SOURCE.fullmatch(source):
        raise InputError(
            "must be 1 to 40 of a-z, 0-9, dot and hyphen", where="--source",
            hint="a name of your own for who sent it",
        )  # fmt: skip
    in_force(home.bases, purpose, now=now)
    objects = _read(file)
    campaigns, gone, newest = _indicated(objects), _revoked(objects), _newest(objects)
    kept: dict[tuple[str, str], Indicator] = {}
    dropped: Counter[str] = Counter()
    for one in objects:
        try:
            made = _indicator(one, f"import-{source}", campaigns, now)
            if not gone.isdisjoint((made.indicator_id, made.campaign_id)):
                raise _Dropped("revoked")
            if newest[made.indicator_id] is not one:
                raise _Dropped("an older version")
            if one.get("created_by_ref") == home.contributor:
                raise _Dropped("your own")
        except _Dropped as why:
            dropped[str(why)] += 1
            continue
        if (made.kind, made.value) in kept:
            dropped["the same fingerprint again"] += 1
        kept.setdefault((made.kind, made.value), made)
    by = {str(one.get("id")): str(one.get("created_by_ref")) for one in objects}
    rows = [
        made.as_dict()
        | ({"creator": by[made.indicator_id]} if _ID.fullmatch(by[made.indicator_id]) else {})
        for _, made in sorted(kept.items())
    ]
    held = _held(home) | {source: rows}
    with home.ledger() as ledger:
        ledger.record({"what": "import", "at": stamp(now), "purpose": purpose, "source": source,
                       "objects": [row["indicator_id"] for row in rows],
                       "refused": dropped.total()})  # fmt: skip
    home.pulled.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(home.pulled / IMPORTED, canonical({k: v for k, v in sorted(held.items()) if v}))
    return Imported(len(objects), len(rows), dict(sorted(dropped.items())))


def imported(
    home: Home, *, now: datetime, members: frozenset[str] = frozenset()
) -> list[Indicator]:
    """Return what was imported from all sources and is in force, each object once.

    ``members``: contributors of the hub, whose objects in a file are their own word.

    Raises:
        ConfigError, SchemaError: the file is damaged; it is left as it is.
    """
    held = sorted(_held(home).items())
    first: dict[str, str] = {}  # the first source of each object and creator
    for source, rows in held:
        for row in rows:
            for name in (row.get("creator"), row.get("indicator_id")):
                first.setdefault(str(name), source)
    found: dict[tuple[str, str, str], Indicator] = {}
    for source, rows in held:
        for row in rows:
            creator = row.get("creator")
            plain = {name: value for name, value in row.items() if name != "creator"}
            one = indicator_of(plain, where=f"{IMPORTED}.{source}")
            teller = min(first[name] for name in (creator, one.indicator_id) if name is not None)
            known = creator if creator in members else f"import-{teller}"
            if one.valid_from <= now < one.valid_until and one.value not in home.canaries:
                found.setdefault(
                    (one.indicator_id, one.kind, one.value), replace(one, contributor=known)
                )
    return list(found.values())


def _held(home: Home) -> dict[str, list[dict[str, Any]]]:
    file = home.pulled / IMPORTED
    if not file.exists():
        return {}
    try:
        value = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        raise _damaged(file, "no JSON") from None
    if not isinstance(value, dict):
        raise _damaged(file, f"a {type(value).__name__}")
    for source, rows in value.items():
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise _damaged(file, "a source whose rows are no objects")
        if not _SOURCE.fullmatch(source):
            raise _damaged(file, "a name that no source has")
    return value


def _damaged(file: Path, got: str) -> ConfigError:
    return ConfigError(
        f"is damaged: {got}, where an object of lists by source was expected", where=str(file),
        hint="restore it, or move it away and import each source's file again; nothing was changed",
    )  # fmt: skip


def _read(file: Path) -> list[Mapping[str, Any]]:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise InputError(f"is larger than {_MOST_BYTES:,} bytes", where=str(file))
        value = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"cannot be read as JSON ({type(error).__name__})", where=str(file),
            hint="give a STIX 2.1 bundle",
        ) from None  # fmt: skip
    objects = value.get("objects", [value]) if isinstance(value, dict) else value
    if isinstance(value, dict) and value.get("type") == "bundle":
        objects = value.get("objects", [])
    if not isinstance(objects, list) or not all(
        isinstance(one, dict) and isinstance(one.get("type"), str) for one in objects
    ):
        raise InputError(
            "holds no STIX objects", where=str(file), hint="give a STIX 2.1 bundle"
        )  # fmt: skip
    return objects


def _indicated(objects: list[Mapping[str, Any]]) -> dict[str, str]:
    """Return which campaign each indicator indicates, where a relationship says so."""
    return {
        str(one.get("source_ref")): str(one.get("target_ref"))
        for one in objects
        if one.get("relationship_type") == "indicates"
        and _ID.fullmatch(str(one.get("target_ref")))
        and str(one.get("target_ref")).startswith("campaign--")
    }


def _revoked(objects: list[Mapping[str, Any]]) -> frozenset[str]:
    """Return the ids of what is revoked: for good, whichever version says it."""
    return frozenset(str(one.get("id")) for one in objects if one.get("revoked") is True)


def _newest(objects: list[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the newest version of each id; the first of those that are as new."""
    found: dict[str, tuple[datetime, Mapping[str, Any]]] = {}
    for one in objects:
        at = _time(one.get("modified")) or _time(one.get("created")) or _NEVER
        name = str(one.get("id"))
        if name not in found or at > found[name][0]:
            found[name] = at, one
    return {name: one for name, (_, one) in found.items()}


def _indicator(
    one: Mapping[str, Any], contributor: str, campaigns: Mapping[str, str], now: datetime
) -> Indicator:
    """Return the indicator that an object holds; raises _Dropped."""
    kind = str(one["type"])
    if kind != "indicator":
        raise _Dropped(f"no indicator: {kind if _TYPE.fullmatch(kind) else 'of an odd type'}")
    name = str(one.get("id"))
    if not _ID.fullmatch(name):
        raise _Dropped("an indicator without an id")
    what, value = _fingerprint(one)
    start, end = (_time(one.get(field)) for field in ("valid_from", "valid_until"))
    if start is None or (end is None and "valid_until" in one):
        raise _Dropped("without a readable time")
    if start.year > 9000:
        raise _Dropped("without a readable time")
    end = min(end or start + _LONGEST, start + _LONGEST)  # rule short-lived
    if end <= now:
        raise _Dropped("run out (an indicator holds for 180 days at most)")
    weight = Record(0.0, 0.0).weight
    return Indicator(
        name, what, value, None, campaigns.get(name, name), contributor, weight, start, end
    )


def _fingerprint(one: Mapping[str, Any]) -> tuple[str, str]:
    """Return kind and value of a fingerprint that a scan matches; raises _Dropped."""
    extensions = one.get("extensions")
    own = extensions.get(EXT["fingerprint"]) if isinstance(extensions, Mapping) else None
    pattern = str(one.get("pattern", ""))
    found = _VALUE.fullmatch(pattern.strip())
    if isinstance(own, Mapping):
        what, value = str(own.get("kind")), str(own.get("value"))
    elif found is not None:
        what, value = found.groups()
    else:
        of = _OF_WHAT.match(pattern)
        if of is not None and of[1] == "x-stillwatch-value":
            raise _Dropped(_TOKEN if "token_" in pattern else "a pattern that is no single value")
        raise _Dropped(f"a scan does not match {of[1] if of else 'its pattern'}")
    if what.startswith("token_"):
        raise _Dropped(_TOKEN)
    if what not in CLEAR_KINDS or not re.fullmatch("[0-9a-f]{16}", value):
        raise _Dropped("a fingerprint of no known kind")
    return what, value


def _time(text: Any) -> datetime | None:
    try:
        return parse_time(str(text)) if isinstance(text, str) else None
    except (ConfigError, OverflowError):
        return None
