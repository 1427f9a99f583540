"""Fetches what others share, and makes of it the indicators file for `scan --indicators`.

Resumes after the last whole page. What the guard would not let out it does not let in either: it is
counted, and its content kept nowhere. Revoked and erased objects go from this member's copy too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from stillwatch.errors import ConfigError
from stillwatch.schema import write_whole
from stillwatch.seal import canonical
from stillwatch.share.antitrust import normal, refusals
from stillwatch.share.client.foreign import imported
from stillwatch.share.client.home import Home, stamp
from stillwatch.share.client.known import HELD, held_objects
from stillwatch.share.client.taxii import Collection
from stillwatch.share.legal import in_force
from stillwatch.share.shape import version_of
from stillwatch.share.trust import indicators_of, screen
from stillwatch.share.words import extended

__all__ = ["INDICATORS", "Pulled", "pull", "write_indicators"]

INDICATORS: Final = "indicators.jsonl"
_CURSOR: Final = "cursor.json"


@dataclass(frozen=True)
class Pulled:
    """What a pull brought: new object versions, refused ones, indicators in force, left out."""

    received: int
    refused: int
    indicators: int
    left_out: dict[str, int]
    path: Path


def pull(home: Home, hub: Collection, *, purpose: str, now: datetime) -> Pulled:
    """Fetch everything that is new and write the indicators file.

    Raises:
        ShareRefused: rules ``purpose`` and ``legal-basis``.
        InputError: the hub cannot be reached; the pages that came are kept.
    """
    in_force(home.bases, purpose, now=now)
    home.pulled.mkdir(mode=0o700, parents=True, exist_ok=True)
    held = held_objects(home)
    received = refused = 0
    early: list[dict[str, Any]] = []
    for page, last in hub.objects(purpose=purpose, added_after=_cursor(home)):
        here = frozenset(str(one.get("id")) for one in page if isinstance(one, Mapping))
        known = _known(held, here)
        judged = [(one, refusals(one, now=now, known=known) != ()) for one in page]
        fresh = [one for one, wrong in judged if not wrong]
        early += [one for one, wrong in judged if wrong and not refusals(one, now=now, known=_any)]
        received += len(fresh)
        refused += len(page) - len(fresh)
        with home.ledger() as ledger:
            ledger.record({"what": "read", "at": stamp(now), "purpose": purpose,
                           "objects": [one["id"] for one in fresh],
                           "refused": len(page) - len(fresh)})  # fmt: skip
        _merge(held, fresh)
        write_whole(home.pulled / HELD, canonical(sorted(held.values(), key=_order)))
        write_whole(home.pulled / _CURSOR, canonical({"added_after": last}))
    late = [one for one in early if not refusals(one, now=now, known=_known(held))]
    if late:  # what they refer to came on a later page
        _merge(held, late)
        write_whole(home.pulled / HELD, canonical(sorted(held.values(), key=_order)))
        received, refused = received + len(late), refused - len(late)
    count, left = write_indicators(home, now=now)
    return Pulled(received, refused, count, left, home.pulled / INDICATORS)


def write_indicators(home: Home, *, now: datetime) -> tuple[int, dict[str, int]]:
    """Write what may be used of all that was pulled and imported; return how many, what was left
    out by reason.

    What the hub has told of is not taken from a file: there it could not be revoked or appealed.
    """
    held = held_objects(home)
    found = indicators_of(held.values(), now=now, canaries=home.canaries, arbiters=home.arbiters)
    others = [one for one in found if one.contributor != home.contributor]
    members = frozenset(
        str(one["created_by_ref"]) for one in held.values() if "created_by_ref" in one
    )
    files = [
        one for one in imported(home, now=now, members=members) if one.indicator_id not in held
    ]
    kept, left = screen([*others, *files], warninglist=home.warninglist)
    lines = b"".join(canonical(one.as_dict()) + b"\n" for one in kept)
    write_whole(home.pulled / INDICATORS, lines)
    return len(kept), left


def _any(identifier: str) -> bool:
    return True


def _known(held: Mapping[str, Any], here: frozenset[str] = frozenset()) -> Callable[[str], bool]:
    """Return whether an id names what came or a contributor, whose identity a hub need not send."""
    return lambda one: one.startswith("identity--") or one in held or one in here


def _order(one: dict[str, Any]) -> str:
    return str(one["id"])


def _cursor(home: Home) -> str:
    file = home.pulled / _CURSOR
    if not file.exists():
        return ""
    try:
        return str(json.loads(file.read_bytes())["added_after"])
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"is damaged: {type(error).__name__} instead of an added_after", where=str(file),
            hint="delete it; the next pull fetches everything anew",
        ) from None  # fmt: skip


def _merge(held: dict[str, dict[str, Any]], fresh: Iterable[dict[str, Any]]) -> None:
    """Keep the latest version of each object; erase what its owner wants deleted."""
    for one in fresh:
        old = held.get(one["id"])
        if old is not None and old.get("created_by_ref") != one.get("created_by_ref"):
            continue  # nobody writes a new version of another member's object
        if old is None or version_of(old) <= version_of(one):
            held[one["id"]] = normal(one)
    for note in list(held.values()):
        if note["type"] == "note" and extended(note, "notice").get("kind") == "deletion":
            for ref in note["object_refs"]:
                if ref in held and held[ref].get("created_by_ref") == note["created_by_ref"]:
                    del held[ref]
    # A revoked campaign stays as a line of its contributor's record; the rest has nothing to tell.
    for one in [o for o in held.values() if o.get("revoked") and o["type"] != "campaign"]:
        del held[one["id"]]
