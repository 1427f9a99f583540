"""FollowTheMoney entities → the register of one day.

Source: the model of followthemoney 4.11 (schemata Ownership, LegalEntity and those that extend
it). Values of a property are a list of strings. Read are: who is what, ``Ownership`` from ``owner``
to ``asset`` with ``percentage`` (free text) between ``startDate`` and ``endDate``. Not read: any
property of a Person, and schemata of control, family and office, which are not ownership.

Several entities of one id are fragments of one: their values are put together, as the library
does. Of one ``jurisdiction``, else one ``mainCountry``, it is certain that an entity is registered
there; of several, or where ``country`` alone is named, it is possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

from stillwatch.errors import SchemaError
from stillwatch.policy.owners.days import dates_of, first_day, last_day
from stillwatch.policy.owners.holdings import Dates, Interest, Note, Party, Register
from stillwatch.policy.owners.shares import UNKNOWN_SHARE, Bounds, from_text

__all__ = ["register_from_ftm"]

_ENTITIES: Final = frozenset(
    {"LegalEntity", "Organization", "Company", "PublicBody", "Asset", "Vessel", "Airplane"}
)
_ENDED: Final = frozenset({"inactive", "ceased", "closed", "dissolved", "terminated"})


def register_from_ftm(entities: Iterable[tuple[str, Mapping[str, Any]]], at: date) -> Register:
    """Return what FollowTheMoney entities, each with its place, say on the day ``at``.

    Raises SchemaError: an entity lacks its id, schema or properties.
    """
    parties: dict[str, Party] = {}
    found: list[Interest] = []
    notes: list[Note] = []
    dates: dict[str, Dates] = {}
    for identifier, (schemata, held) in _merged(entities).items():
        if "Person" in schemata:
            parties[identifier] = Party(identifier, "person")
        elif not schemata.isdisjoint(_ENTITIES):
            parties[identifier] = _party(identifier, held, notes)
        elif "Trust" in schemata:
            parties[identifier] = Party(identifier, "arrangement")
        elif "Ownership" in schemata and _in_force(held, at):
            found += _interests(identifier, held, notes)
            dates[identifier] = dates_of(
                None, _texts(held, "startDate")[:1], _texts(held, "endDate")[-1:]
            )
    found.sort(key=lambda i: (i.asset, i.owner or "", i.sources))
    noted = tuple(sorted(notes, key=str))
    return Register(dict(sorted(parties.items())), tuple(found), noted, dates)


def _merged(
    entities: Iterable[tuple[str, Mapping[str, Any]]],
) -> dict[str, tuple[set[str], dict[str, list[str]]]]:
    """Return the schemata and all values of each id. Raises SchemaError."""
    merged: dict[str, tuple[set[str], dict[str, list[str]]]] = {}
    for where, entity in entities:
        held = entity.get("properties")
        identifier, schema = entity.get("id"), entity.get("schema")
        if not (isinstance(identifier, str) and isinstance(schema, str)
                and isinstance(held, Mapping)):  # fmt: skip
            raise SchemaError("expected id, schema and properties", where=where)
        schemata, values = merged.setdefault(identifier, (set(), {}))
        schemata.add(schema)
        for name in held:
            one = values.setdefault(name, [])
            one.extend(v for v in _texts(held, name) if v not in one)
    return merged


def _texts(held: Mapping[str, Any], name: str) -> list[str]:
    values = held.get(name)
    return sorted(v for v in values if isinstance(v, str)) if isinstance(values, list) else []


def _party(identifier: str, held: Mapping[str, Any], notes: list[Note]) -> Party:
    places = _places(held, "jurisdiction") or _places(held, "mainCountry")
    perhaps = () if len(places) == 1 else places or _places(held, "country")
    if perhaps:
        what = "several jurisdictions" if places else "a country and no jurisdiction"
        notes.append(Note(identifier, f"has {what}: it may be registered there"))
    names = _texts(held, "name")
    ended = any(text.lower() in _ENDED for text in _texts(held, "status"))
    return Party(
        identifier,
        "entity",
        names[0] if names else None,
        places[0] if len(places) == 1 else None,
        ended or bool(_texts(held, "dissolutionDate")),
        perhaps,
    )


def _places(held: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(sorted({text.upper() for text in _texts(held, name)}))


def _interests(identifier: str, held: Mapping[str, Any], notes: list[Note]) -> list[Interest]:
    owners: list[str | None] = [*_texts(held, "owner")] or [None]
    assets = _texts(held, "asset")
    bounds = _share(identifier, held, notes)
    low = bounds.low if len(owners) * len(assets) == 1 else 0  # which of them holds it is not said
    words = " ".join(_texts(held, "role") + _texts(held, "ownershipType")).lower()
    if "nominee" in words:
        owners = [None]
    return [
        Interest(owner, asset, "shareholding", low, bounds.high, (identifier,))
        for owner in owners
        for asset in assets
    ]


def _share(identifier: str, held: Mapping[str, Any], notes: list[Note]) -> Bounds:
    """Return the interval that covers every percentage given."""
    texts = _texts(held, "percentage")
    read = [from_text(text) for text in texts]
    if any(not bounds.read for bounds in read):
        notes.append(Note(identifier, "has a percentage that is no number"))
    if not read:
        return UNKNOWN_SHARE
    return Bounds(min(b.low for b in read), max(b.high for b in read), True)


def _in_force(held: Mapping[str, Any], at: date) -> bool:
    begins = [d for text in _texts(held, "startDate") if (d := first_day(text))]
    ends = [d for text in _texts(held, "endDate") if (d := last_day(text))]
    if any(text.lower() in _ENDED for text in _texts(held, "status")):
        return False
    return (not begins or min(begins) <= at) and (not ends or max(ends) > at)
