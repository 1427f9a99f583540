"""One account: all that the run knows and why, every decision on it, what people found out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

import pyarrow as pa
from starlette.responses import Response

from stillwatch.cases import (
    add_note,
    cases_of,
    label,
    read_appeals,
    read_labels_on,
    read_notes_on,
    read_notice,
    verdict_of,
)
from stillwatch.console.case import state_of
from stillwatch.console.desk import Desk, Visit
from stillwatch.console.paper import go, refuse, show
from stillwatch.console.requests import days_told
from stillwatch.errors import ConfigError
from stillwatch.report.why import Section, why
from stillwatch.schema import OWNERSHIP
from stillwatch.store.index import Part

__all__ = ["find", "label_one", "note_one", "show_account", "show_notice"]

_TABLES: Final = ("accounts", "links", "signals", "subjects")


def _unknown(desk: Desk, visit: Visit) -> Response:
    return refuse(
        desk, visit, 404, "No such account in this run",
        f"None of its {desk.index.accounts:,} accounts has that name.",
        "Spell it as the log does; the run covers the window that the overview names.",
    )  # fmt: skip


def find(desk: Desk, visit: Visit) -> Response:
    """Go to an account by its identifier, which stands in no address."""
    account_id = visit.form.get("account", "").strip()
    if desk.index.account(account_id) is None:
        return _unknown(desk, visit)
    return go(f"/accounts/{desk.index.ref(account_id)}")


def show_account(desk: Desk, visit: Visit) -> Response:
    """Show an account, whole or as a drawer beside its case."""
    ref = visit.path["ref"]
    account_id = desk.index.account_of(ref)
    if account_id is None:
        return _unknown(desk, visit)
    now = desk.now()
    rulings = verdict_of(desk.book, account_id, now=now)
    mine = {r.id for r in rulings}
    # asked once: of 500 cases each question would be a query
    campaigns = {name for name, _ in desk.index.memberships(account_id)}
    cases = [line for line in desk.lines() if line.campaign_id in campaigns]
    owned = cases_of(desk.book, account_id, kind=OWNERSHIP)
    lines = [*cases, *(line for line in desk.lines() if line.case_id in owned)]
    sections, shared = desk.once(("account", ref), lambda: _known(desk, account_id))
    return show(
        desk, visit, "account-drawer.html.jinja" if visit.partial else "account.html.jinja",
        account_id=account_id, ref=ref, row=desk.index.account(account_id) or {},
        sections=sections,
        notes=read_notes_on(desk.book, account_id), labels=read_labels_on(desk.book, account_id),
        shared=shared, person=desk.index.person(account_id),
        today=desk.once(("today", ref), lambda: _today(desk, account_id, campaigns)),
        requested=[c.case_id for c in cases] if desk.index.requests is not None else [],
        rulings=rulings, cases=cases, lines=lines,
        takes_words=next((c.case_id for c in lines if c.takes_words), None), at=now,
        state_of=lambda r: state_of(r, now),
        appeals=[a for a in read_appeals(desk.book) if a.account_id == account_id
                 and a.decision in mine],
    )  # fmt: skip


def _today(desk: Desk, account_id: str, campaigns: Iterable[str]) -> dict[str, Any]:
    """Return the account's last day beside its usual one; of two campaigns, the first by name."""
    held, last = desk.index.requests, desk.run.summary.get("until")
    if held is None or not isinstance(last, str):
        return {}
    told = (days_told(held, name, account_id, last) for name in sorted(campaigns))
    return next((one for one in told if one), {})


def _known(desk: Desk, account_id: str) -> tuple[list[Section], list[dict[str, Any]]]:
    """Return all that the run says of an account, and what it shares; its links are read once."""
    part = desk.index.about_account(account_id)
    rows = part.links_of(account_id, part.campaigns)
    tables: dict[str, Callable[[], pa.Table]] = {
        name: partial(part.table, name) for name in _TABLES if part.has(name)
    }
    once = Part(desk.run, part.campaigns, tables, lambda _: rows)
    return why(once, account_id), _shared(account_id, rows)


def _shared(account_id: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what the account shares, the heaviest first: kind, thing, nats, and how many accounts
    have it, in its campaign and elsewhere."""
    found = [
        {"kind": str(row["kind"]), "thing": row["a"] if row["b"] == account_id else row["b"],
         "nats": row["llr"], "inside": row["inside"],
         "outside": max(0, int(row["others"] or 0) - int(row["inside"] or 0))}
        for row in rows
    ]  # fmt: skip
    return sorted(found, key=lambda r: (-(r["nats"] or 0.0), r["kind"], r["thing"]))


def note_one(desk: Desk, visit: Visit) -> Response:
    """Add a remark on an account for colleagues; it stands in the history of its case."""
    account_id = desk.index.account_of(visit.path["ref"])
    if account_id is None:
        return _unknown(desk, visit)
    case_id = visit.form.get("case", "")
    if not case_id:
        raise ConfigError("the account is in no case", where="note")
    add_note(desk.book, case_id, text=visit.form.get("text", "")[:4_000], by=visit.by,
             now=desk.clock(), account_id=account_id)  # fmt: skip
    return go(f"/accounts/{visit.path['ref']}")


def show_notice(desk: Desk, visit: Visit) -> Response:
    """Show the notice of a decision as one account got it."""
    account_id = desk.index.account_of(visit.path["ref"])
    if account_id is None:
        return _unknown(desk, visit)
    text = read_notice(desk.book, visit.path["decision"], account_id)
    return show(desk, visit, "notice.html.jinja", text=text, decision=visit.path["decision"],
                ref=visit.path["ref"])  # fmt: skip


def label_one(desk: Desk, visit: Visit) -> Response:
    """Enter what a person found out about an account: true, false or unsure, and why."""
    account_id = desk.index.account_of(visit.path["ref"])
    if account_id is None:
        return _unknown(desk, visit)
    case_id = visit.form.get("case", "")
    if not case_id:
        raise ConfigError("the account is in no case", where="label")
    label(desk.book, case_id, account_id, verdict=visit.form.get("verdict", ""),
          reason=visit.form.get("reason", "")[:4_000], by=visit.by, now=desk.clock())  # fmt: skip
    return go(f"/accounts/{visit.path['ref']}")
