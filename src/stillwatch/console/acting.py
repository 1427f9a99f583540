"""What people do to a case: weigh, decide, approve, undo, note, assign, appeal.

Every rule stands in `cases`; this module reads forms and names the person of the session.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from starlette.responses import Response

from stillwatch.cases import (
    Order,
    add_note,
    appeal,
    approve,
    assign,
    close_case,
    decide,
    page_members,
    read_rulings,
    resolve,
    undo,
)
from stillwatch.console.case import chapter_of, missing
from stillwatch.console.desk import Desk, Visit
from stillwatch.console.paper import go, show
from stillwatch.errors import ConfigError
from stillwatch.report.facts import at, records
from stillwatch.schema import ADVERSE, parse_time

__all__ = [
    "assign_one", "close_one", "enter_appeal", "hear", "note", "second", "take", "take_back",
    "weigh",
]  # fmt: skip


def _order(desk: Desk, visit: Visit) -> Order:
    """Return what the form asks for. Raises ConfigError: accounts were to be marked, none was."""
    accounts: tuple[str, ...] | None = None
    if visit.form.get("scope") == "marked":
        accounts = _marked(desk, visit.path["case"], visit.many.get("account", ()))
        if not accounts:
            raise ConfigError("no account was marked", where="accounts",
                              hint="mark members below, or choose all accused")  # fmt: skip
    return Order(
        visit.path["case"], accounts, visit.form.get("verdict", ""), visit.form.get("reason", ""),
        visit.by, _until(visit.form.get("until", "")), visit.form.get("remark", "")[:4_000],
    )  # fmt: skip


def _marked(desk: Desk, case_id: str, refs: Collection[str]) -> tuple[str, ...]:
    """Return the accounts behind references.

    Raises ConfigError: one of them is none of the run's accounts and no member of the case.
    """
    found = {ref: desk.index.account_of(ref) for ref in refs}
    if None in found.values():
        members, _ = page_members(desk.book, case_id, first=0, most=1_000_000)
        known = {desk.index.ref(account): account for account, _, _ in members}
        found = {ref: account or known.get(ref) for ref, account in found.items()}
    if None in found.values():
        raise ConfigError("an account that is not in the case was marked", where="accounts")
    return tuple(account for account in found.values() if account is not None)


def _until(text: str) -> datetime | None:
    if not text.strip():
        return None
    return parse_time(text if text.endswith("Z") else f"{text}Z").astimezone(UTC)


def weigh(desk: Desk, visit: Visit) -> Response:
    """Say whom an order would touch, before it is given; nothing is written.

    Raises ConfigError: it is adverse, on all who are accused, and nobody is.
    """
    line = desk.line(visit.path["case"])
    if line is None:
        return missing(desk, visit)
    order = _order(desk, visit)
    accounts = order.accounts
    if accounts is None:
        adverse = order.verdict in ADVERSE
        number = page_members(desk.book, line.case_id, first=0, most=1,
                              standing="accused" if adverse else "")[1]  # fmt: skip
        if adverse and not number:
            raise ConfigError(f"nobody is accused, and {order.verdict} is adverse",
                              where=line.case_id, hint="watch them")  # fmt: skip
    else:
        number = len(set(accounts))
    chapter = chapter_of(desk, line)
    rungs = records(at(chapter.campaign.data, "recommended", "rungs"))
    return show(
        desk, visit, "weigh.html.jinja", line=line, order=order, number=number,
        rung=next((r for r in rungs if r.get("verdict") == order.verdict), None),
        second=order.verdict == "deny" and number > desk.terms.two_people_above_accounts,
        two_above=desk.terms.two_people_above_accounts,
        until=order.expires or desk.now() + desk.terms.longest.get(
            order.verdict, desk.terms.longest["throttle"]),
        survivors=[r for r in chapter.rivals if r.get("survives")],
        recommended=str(at(chapter.campaign.data, "recommended", "verdict") or "none"),
        adverse=order.verdict in ADVERSE, marked=visit.many.get("account", ()),
    )  # fmt: skip


def take(desk: Desk, visit: Visit) -> Response:
    """Record a decision; what is adverse writes its notice."""
    decide(desk.book, _order(desk, visit), terms=desk.terms, now=desk.clock())
    return go(f"/cases/{visit.path['case']}#decisions")


def second(desk: Desk, visit: Visit) -> Response:
    """Let a pending decision take effect, as the second person."""
    made = approve(desk.book, visit.path["decision"], by=visit.by, terms=desk.terms,
                   now=desk.clock())  # fmt: skip
    return go(f"/cases/{made.case_id}#decisions")


def take_back(desk: Desk, visit: Visit) -> Response:
    """Undo a decision."""
    remark = visit.form.get("remark", "").strip()
    if not remark:
        raise ConfigError("expected why", where="remark")
    undo(desk.book, [visit.path["decision"]], by=visit.by, remark=remark[:4_000], now=desk.clock())
    return go(_case_of(desk, visit.path["decision"]))


def enter_appeal(desk: Desk, visit: Visit) -> Response:
    """Enter an appeal of one account against a decision; its clock starts."""
    appeal(desk.book, visit.path["decision"], visit.form.get("account", "").strip(),
           by=visit.form.get("appellant", "").strip(), terms=desk.terms,
           now=desk.clock())  # fmt: skip
    return go(_case_of(desk, visit.path["decision"]))


def hear(desk: Desk, visit: Visit) -> Response:
    """End an appeal; whoever had a part in the decision cannot."""
    outcome = visit.form.get("outcome", "")
    if outcome not in ("upheld", "rejected"):
        raise ConfigError("expected upheld or rejected", where="outcome")
    held = resolve(desk.book, visit.path["appeal"], upheld=outcome == "upheld", by=visit.by,
                   reason=visit.form.get("reason", "")[:4_000], now=desk.clock())  # fmt: skip
    return go(_case_of(desk, held.decision))


def note(desk: Desk, visit: Visit) -> Response:
    """Add a remark for colleagues."""
    add_note(desk.book, visit.path["case"], text=visit.form.get("text", "")[:4_000], by=visit.by,
             now=desk.clock())  # fmt: skip
    return go(f"/cases/{visit.path['case']}#history")


def assign_one(desk: Desk, visit: Visit) -> Response:
    """Give the case to a person, or take it."""
    to = visit.form.get("to", "").strip() or visit.by
    assign(desk.book, visit.path["case"], to=to, by=visit.by, now=desk.clock())
    return go(f"/cases/{visit.path['case']}")


def close_one(desk: Desk, visit: Visit) -> Response:
    """Close the case; its decisions run until they expire."""
    close_case(desk.book, visit.path["case"], reason=visit.form.get("reason", "")[:4_000],
               by=visit.by, now=desk.clock())  # fmt: skip
    return go("/")


def _case_of(desk: Desk, decision_id: str) -> str:
    found = [r.case_id for r in read_rulings(desk.book) if r.id == decision_id]
    return f"/cases/{found[0]}#decisions" if found else "/"
