"""Beneficial Ownership Data Standard 0.4 → the register of one day.

Source: https://standard.openownership.org, version 0.4. The rules, numbered as the code is:

1. Of each record the latest statement on or before the day counts; of two on one day the one that
   closes, then the one that updates. A closed record says nothing any more.
2. An interest counts between its start and its end.
3. Only direct interests make edges. One that may be indirect has a lower bound of 0. One that is
   indirect is dropped, since its components are stated apart; where no components are named, its
   asset has an owner that is not known.
4. An interested party that is not specified is an owner that is not known.
5. A nominee holds nothing: what it holds is the nominator's where exactly one is known, else
   nobody knows whose. An arrangement is held by its nominators.
6. Of a person nothing is read but the record's identifier.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

from stillwatch.errors import SchemaError
from stillwatch.policy.owners.days import dates_of, first_day, last_day
from stillwatch.policy.owners.holdings import UNIT, Dates, Interest, Note, Party, Register
from stillwatch.policy.owners.nominees import pass_through
from stillwatch.policy.owners.shares import from_bods

__all__ = ["register_from_bods"]

_STATUS_RANK: Final = {"new": 0, "updated": 1, "closed": 2}
_OWNING: Final = ("shareholding", "votingRights")
_NO_ONE: Final = "noBeneficialOwners"
_NEEDED: Final = ("statementId", "recordId", "recordType", "recordDetails")


def register_from_bods(statements: Iterable[tuple[str, Mapping[str, Any]]], at: date) -> Register:
    """Return what BODS statements, each with its place, say on the day ``at``.

    Raises SchemaError: a statement lacks an identifier, a type or its details.
    """
    notes: list[Note] = []
    parties: dict[str, Party] = {}
    found: list[Interest] = []
    dates: dict[str, Dates] = {}
    for statement in _latest(statements, at):  # 1
        details, kind = statement["recordDetails"], statement["recordType"]
        closed = statement.get("recordStatus") == "closed"
        if kind in ("person", "entity"):
            party = _party(statement["recordId"], kind, details, closed)
            parties[party.party_id] = party
            if kind == "entity" and details.get("jurisdiction") and party.jurisdiction is None:
                notes.append(Note(statement["statementId"], "has a jurisdiction without a code"))
        elif not closed:
            found += _interests(statement, details, at, notes)
            dates[statement["statementId"]] = _dates(statement, details, at)
    held = pass_through(found, parties)  # 5
    return Register(parties, tuple(held), tuple(notes), dates)


def _latest(
    statements: Iterable[tuple[str, Mapping[str, Any]]], at: date
) -> list[Mapping[str, Any]]:
    """Return the statement in force of each record, in the order of record ids."""
    best: dict[str, tuple[tuple[date, int, str], Mapping[str, Any]]] = {}
    for where, statement in statements:
        for name in _NEEDED:
            wanted: type = dict if name == "recordDetails" else str
            if not isinstance(statement.get(name), wanted):
                raise SchemaError(f"{name}: expected {wanted.__name__}", where=where)
        made = first_day(statement.get("statementDate")) or date.min
        if made > at:
            continue
        rank = _STATUS_RANK.get(str(statement.get("recordStatus")), 0)
        order = (made, rank, statement["statementId"])
        record = statement["recordId"]
        if record not in best or best[record][0] < order:
            best[record] = (order, statement)
    return [best[record][1] for record in sorted(best)]


def _party(record: str, kind: str, details: Mapping[str, Any], closed: bool) -> Party:
    if kind == "person":
        return Party(record, "person", ended=closed)  # 6
    typed = details.get("entityType")
    arrangement = isinstance(typed, Mapping) and typed.get("type") == "arrangement"
    place = details.get("jurisdiction")
    code = place.get("code") if isinstance(place, Mapping) else None
    name = details.get("name")
    return Party(
        record,
        "arrangement" if arrangement else "entity",
        name if isinstance(name, str) else None,
        code.strip().upper() or None if isinstance(code, str) else None,
        closed,
    )


def _interests(
    statement: Mapping[str, Any], details: Mapping[str, Any], at: date, notes: list[Note]
) -> list[Interest]:
    """Return the interests of one relationship that count on the day (rules 2 to 4)."""
    source, asset = statement["statementId"], details.get("subject")
    if not isinstance(asset, str):
        notes.append(Note(source, "says of no named entity who owns it"))
        return []
    party, stated = details.get("interestedParty"), details.get("interests")
    owner = party if isinstance(party, str) else None
    if owner is None:
        reason = party.get("reason") if isinstance(party, Mapping) else None
        if reason == _NO_ONE:
            return []
        if not stated:
            return [Interest(None, asset, kind, 0, UNIT, (source,)) for kind in _OWNING]  # 4
    components = bool(details.get("componentRecords"))
    found: list[Interest] = []
    for interest in _in_force(details, at):  # 2
        kind, bounds = str(interest.get("type")), from_bods(interest.get("share"))
        if interest.get("share") and not bounds.read:
            notes.append(Note(source, "has a share that is not between 0 and 100 %"))
        direct = interest.get("directOrIndirect")
        if direct == "indirect" or (direct != "direct" and components):  # 3
            if not components and kind in _OWNING:
                found.append(Interest(None, asset, kind, 0, bounds.high, (source,)))
            continue
        low = bounds.low if direct == "direct" else 0
        found.append(Interest(owner, asset, kind, low, bounds.high, (source,)))
    return found


def _in_force(details: Mapping[str, Any], at: date) -> list[Mapping[str, Any]]:
    """Return the interests of one relationship that hold on the day."""
    stated = details.get("interests")
    return [
        i
        for i in (stated if isinstance(stated, list) else [])
        if isinstance(i, Mapping) and _is_in_force(i, at)
    ]


def _dates(statement: Mapping[str, Any], details: Mapping[str, Any], at: date) -> Dates:
    held = _in_force(details, at)
    return dates_of(
        statement.get("statementDate"),
        [i.get("startDate") for i in held],
        [i.get("endDate") for i in held],
    )


def _is_in_force(interest: Mapping[str, Any], at: date) -> bool:
    begins, ends = first_day(interest.get("startDate")), last_day(interest.get("endDate"))
    return (begins is None or begins <= at) and (ends is None or ends > at)
