"""What follows from one entry in the tables that can be asked; a pure function of the entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import sqlalchemy as sa

from stillwatch.cases import tables as t
from stillwatch.errors import EvidenceError

__all__ = ["KINDS", "project"]

Body = Mapping[str, Any]


def project(connection: sa.Connection, number: int, kind: str, body: Body, at_us: int) -> None:
    """Bring one entry into the tables.

    Raises EvidenceError: the kind is not known, so a newer version wrote it.
    """
    if kind not in KINDS:
        raise EvidenceError(
            "an entry of a kind that this version does not know", where=f"entry {number}",
            hint="use the version of stillwatch that wrote it",
        )  # fmt: skip
    KINDS[kind](connection, number, body, at_us)


def _case_seen(connection: sa.Connection, number: int, body: Body, at_us: int) -> None:
    """Open a case, or bring it to what a rescan saw."""
    case_id = body["case_id"]
    held = {"changed_us": at_us, "evidence_digest": body["evidence_digest"]}
    updated = connection.execute(t.cases.update().where(t.cases.c.id == case_id).values(held))
    if updated.rowcount == 0:
        connection.execute(
            t.cases.insert().values(
                id=case_id,
                state="open",
                opened_us=at_us,
                split_from=body["split_from"],
                kind=body.get("kind", "campaign"),
                **held,
            )
        )
    connection.execute(
        t.case_campaigns.update().where(t.case_campaigns.c.case_id == case_id).values(current=False)
    )
    _put(connection, t.case_campaigns, {"case_id": case_id, "campaign_id": body["campaign_id"]},
         {"current": True})  # fmt: skip
    connection.execute(
        t.members.update().where(t.members.c.case_id == case_id).values(current=False)
    )
    known = set(connection.scalars(
        sa.select(t.members.c.account_id).where(t.members.c.case_id == case_id)
    ))  # fmt: skip
    rows = [{"case_id": case_id, "account_id": account, "role": role, "standing": standing,
             "current": True} for account, role, standing in body["members"]]  # fmt: skip
    new = [row for row in rows if row["account_id"] not in known]
    if new:
        connection.execute(t.members.insert(), new)
    again = [{"b_account": r["account_id"], "b_role": r["role"], "b_standing": r["standing"]}
             for r in rows if r["account_id"] in known]  # fmt: skip
    if again:
        connection.execute(
            t.members.update()
            .where(
                t.members.c.case_id == case_id,
                t.members.c.account_id == sa.bindparam("b_account"),
            )
            .values(role=sa.bindparam("b_role"), standing=sa.bindparam("b_standing"), current=True),
            again,
        )
    _put(connection, t.evidence, {"digest": body["evidence_digest"], "case_id": case_id},
         {"number": number})  # fmt: skip


def _case_merged(connection: sa.Connection, number: int, body: Body, at_us: int) -> None:
    connection.execute(
        t.cases.update()
        .where(t.cases.c.id == body["case_id"])
        .values(state="merged", merged_into=body["into"], changed_us=at_us)
    )


def _case_state(connection: sa.Connection, number: int, body: Body, at_us: int) -> None:
    connection.execute(
        t.cases.update()
        .where(t.cases.c.id == body["case_id"])
        .values(state=body["state"], changed_us=at_us)
    )


def _case_assigned(connection: sa.Connection, number: int, body: Body, at_us: int) -> None:
    connection.execute(
        t.cases.update()
        .where(t.cases.c.id == body["case_id"])
        .values(assigned_to=body["to"], changed_us=at_us)
    )


def _case_note(connection: sa.Connection, number: int, body: Body, at_us: int) -> None:
    connection.execute(
        t.notes.insert().values(
            number=number, case_id=body["case_id"], by_person=body["by"], at_us=at_us,
            text=body["text"], account_id=body.get("account_id"),
        )
    )  # fmt: skip


def _decision(connection: sa.Connection, number: int, body: Body, at_us: int) -> None:
    connection.execute(
        t.decisions.insert().values(
            id=body["decision_id"], case_id=body["case_id"], subject=body["subject"],
            scope=body["scope"], verdict=body["verdict"], reason=body["reason"],
            evidence_digest=body["evidence_digest"], by_person=body["by"], at_us=at_us,
            expires_us=body["expires_us"], undoes=body["undoes"], pending=body["pending"],
            origin=body.get("origin"), stands=body.get("stands", False),
            reference=body.get("reference"),
        )
    )  # fmt: skip
    rows = [{"decision_id": body["decision_id"], "account_id": a} for a in body["accounts"]]
    if rows:
        connection.execute(t.decision_accounts.insert(), rows)
    if body["undoes"]:
        connection.execute(
            t.decisions.update()
            .where(t.decisions.c.id == body["undoes"])
            .values(undone_by=body["decision_id"])
        )


def _approved(connection: sa.Connection, number: int, body: Body, at_us: int) -> None:
    connection.execute(
        t.decisions.update()
        .where(t.decisions.c.id == body["decision_id"])
        .values(pending=False, approved_by=body["by"])
    )


def _notice(connection: sa.Connection, number: int, body: Body, at_us: int) -> None:
    connection.execute(
        t.notices.insert().values(
            decision_id=body["decision_id"], at_us=at_us, appeal_by_us=body["appeal_by_us"],
            text=body["text"],
        )
    )  # fmt: skip


def _appeal(connection: sa.Connection, number: int, body: Body, at_us: int) -> None:
    connection.execute(
        t.appeals.insert().values(
            id=body["appeal_id"], decision_id=body["decision_id"], account_id=body["account_id"],
            state="open", by_person=body["by"], at_us=at_us, due_us=body["due_us"],
        )
    )  # fmt: skip


def _appeal_ended(connection: sa.Connection, number: int, body: Body, at_us: int) -> None:
    connection.execute(
        t.appeals.update()
        .where(t.appeals.c.id == body["appeal_id"])
        .values(state=body["state"], outcome=body["reason"], resolved_by=body["by"])
    )


def _correction(connection: sa.Connection, number: int, body: Body, at_us: int) -> None:
    names = ("account_id", "case_id", "campaign_id", "evidence_digest", "appeal_id")
    connection.execute(
        t.corrections.insert().values(
            number=number, at_us=at_us, **{name: body[name] for name in names}
        )
    )


def _label(connection: sa.Connection, number: int, body: Body, at_us: int) -> None:
    connection.execute(
        t.labels.insert().values(
            number=number, account_id=body["account_id"], case_id=body["case_id"],
            label=body["label"], by_person=body["by"], at_us=at_us,
            reason=body.get("reason"),
        )
    )  # fmt: skip


def _indicator(connection: sa.Connection, number: int, body: Body, at_us: int) -> None:
    _put(connection, t.indicators, {"id": body["indicator_id"]},
         {"case_id": body["case_id"], "kind": body["kind"], "digest": body["digest"],
          "at_us": at_us, "state": body["state"]})  # fmt: skip


def _sighting(connection: sa.Connection, number: int, body: Body, at_us: int) -> None:
    _put(connection, t.sightings, {"id": body["sighting_id"]},
         {"indicator": body["indicator"], "case_id": body["case_id"],
          "count_band": body["count_band"], "at_us": at_us, "state": body["state"]})  # fmt: skip


def _attached(connection: sa.Connection, number: int, body: Body, at_us: int) -> None:
    connection.execute(
        t.attachments.insert().values(
            id=body["attachment_id"], number=number, case_id=body["case_id"], name=body["name"],
            bytes=body["bytes"], digest=body["digest"], remark=body["remark"],
            by_person=body["by"], at_us=at_us, gone=body.get("gone", ""),
        )
    )  # fmt: skip


def _removed(connection: sa.Connection, number: int, body: Body, at_us: int) -> None:
    connection.execute(
        t.attachments.update()
        .where(t.attachments.c.id == body["attachment_id"])
        .values(gone=f"{body['by']} removed it: {body['reason']}")
    )


def _nothing(connection: sa.Connection, number: int, body: Body, at_us: int) -> None:
    """Erasures and purges act on bodies; the entry only says that they did."""


def _put(
    connection: sa.Connection, table: sa.Table, key: Mapping[str, Any], held: Mapping[str, Any]
) -> None:
    """Insert a row, or change the one that has this key."""
    where = sa.and_(*(table.c[name] == value for name, value in key.items()))
    if connection.execute(table.update().where(where).values(**held)).rowcount == 0:
        connection.execute(table.insert().values(**key, **held))


KINDS: Final[dict[str, Callable[[sa.Connection, int, Body, int], None]]] = {
    "case.seen": _case_seen,
    "case.merged": _case_merged,
    "case.state": _case_state,
    "case.assigned": _case_assigned,
    "case.note": _case_note,
    "decision.made": _decision,
    "decision.approved": _approved,
    "notice.written": _notice,
    "appeal.made": _appeal,
    "appeal.ended": _appeal_ended,
    "correction": _correction,
    "label": _label,
    "indicator": _indicator,
    "sighting": _sighting,
    "attachment.added": _attached,
    "attachment.removed": _removed,
    "erasure": _nothing,
    "purge": _nothing,
}
