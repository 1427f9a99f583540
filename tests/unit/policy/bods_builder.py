"""BODS 0.4 statements by hand: short, and with every field that the standard demands."""

from __future__ import annotations

from typing import Any


def entity(record: str, *, kind: str = "registeredEntity", place: str | None = None, **more: Any):
    details: dict[str, Any] = {"isComponent": False, "entityType": {"type": kind}, "name": record}
    if place:
        details["jurisdiction"] = {"code": place, "name": "somewhere"}
    return _statement(record, "entity", details, more)


def person(record: str, *, nationality: str | None = None, **more: Any):
    details: dict[str, Any] = {"isComponent": False, "personType": "knownPerson"}
    if nationality:
        details["nationalities"] = [{"code": nationality}]
        details["taxResidencies"] = [{"code": nationality}]
        details["names"] = [{"type": "legal", "fullName": "A Person"}]
    return _statement(record, "person", details, more)


def interest(share: Any = None, *, kind: str = "shareholding", direct: str = "direct", **more: Any):
    made = {"type": kind, "directOrIndirect": direct, **more}
    if share is not None:
        made["share"] = share if isinstance(share, dict) else {"exact": share}
    return made


def holds(owner: Any, asset: str, *interests: Any, record: str = "", **more: Any):
    details = {
        "isComponent": False,
        "subject": asset,
        "interestedParty": owner,
        "interests": [i if isinstance(i, dict) else interest(i) for i in interests],
    }
    details.update(more.pop("details", {}))
    return _statement(record or f"rel-{owner}-{asset}", "relationship", details, more)


def _statement(record: str, kind: str, details: dict[str, Any], more: dict[str, Any]):
    made = {
        "statementId": f"s-{record}",
        "declarationSubject": record,
        "statementDate": "2026-01-01",
        "recordId": record,
        "recordType": kind,
        "recordStatus": "new",
        "recordDetails": details,
    }
    return {**made, **more}
