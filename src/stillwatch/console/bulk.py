"""One step for many cases or decisions: weighed first, recorded apart, undone together.

Nothing here loosens a rule of `cases`: each case gets a decision of its own, and what a rule
refuses is told beside what was done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from stillwatch.cases import Line, Order, decide, read_rulings, undo
from stillwatch.console.desk import Desk, Visit
from stillwatch.console.paper import show
from stillwatch.console.queue import Row, row_of
from stillwatch.errors import ConfigError, StillwatchError
from stillwatch.report.facts import at, records
from stillwatch.schema import ADVERSE, REASONS, VERDICTS

__all__ = ["MOST_ACCOUNTS", "decide_many", "undo_many", "weigh_many"]

# Above it a bulk step asks to be confirmed twice: a slip of the filter must not reach everyone.
MOST_ACCOUNTS: Final = 100_000


@dataclass(frozen=True)
class Weighed:
    """One case of a bulk step before it is taken: ``accounts`` it is on, others it touches."""

    row: Row
    accounts: int
    rung: dict[str, Any] | None
    second: bool
    already: bool


@dataclass(frozen=True)
class Done:
    """What became of one case: a decision, or why there is none."""

    case_id: str
    decision: str
    accounts: int
    pending: bool
    problem: str


def weigh_many(desk: Desk, visit: Visit) -> Response:
    """Say whom a step for several cases would touch; nothing is written."""
    verdict, reason = _words(visit)
    weighed = [_weigh(desk, line, verdict) for line in _lines(desk, visit)]
    accounts = sum(w.accounts for w in weighed)
    return show(
        desk, visit, "bulk-weigh.html.jinja", weighed=weighed, verdict=verdict, reason=reason,
        accounts=accounts, most=MOST_ACCOUNTS, adverse=verdict in ADVERSE,
        touched=sum(int((w.rung or {}).get("accounts") or 0) for w in weighed),
        revenue=sum(float((w.rung or {}).get("revenue_usd") or 0) for w in weighed),
        unknown=sum(w.rung is None for w in weighed),
        survivors=sum(w.row.survivors > 0 for w in weighed),
        remark=visit.form.get("remark", "")[:4_000],
    )  # fmt: skip


def decide_many(desk: Desk, visit: Visit) -> Response:
    """Record one decision for each of the cases, and say of each what became of it.

    Raises ConfigError: no case, no verdict, or more accounts than was confirmed twice.
    """
    verdict, reason = _words(visit)
    lines = _lines(desk, visit)
    accounts = sum(_weigh(desk, line, verdict).accounts for line in lines)
    if accounts > MOST_ACCOUNTS and not visit.form.get("all"):
        raise ConfigError(f"{accounts:,} accounts are more than {MOST_ACCOUNTS:,}", where="cases",
                          hint="mark fewer, or confirm that it is meant")  # fmt: skip
    done = []
    for line in lines:
        order = Order(line.case_id, None, verdict, reason, visit.by, None,
                      visit.form.get("remark", "")[:4_000], "bulk")  # fmt: skip
        try:
            made = decide(desk.book, order, terms=desk.terms, now=desk.clock())
        except StillwatchError as error:
            done.append(Done(line.case_id, "", 0, False, error.message))
        else:
            done.append(Done(line.case_id, made.id, len(made.accounts), made.pending, ""))
    return show(
        desk, visit, "bulk-done.html.jinja", done=done, verdict=verdict,
        made=[d for d in done if d.decision], accounts=sum(d.accounts for d in done),
    )  # fmt: skip


def undo_many(desk: Desk, visit: Visit) -> Response:
    """Undo several decisions for one reason, in one transaction.

    Raises ConfigError: none was marked, or no reason.
    """
    decisions = list(dict.fromkeys(visit.many.get("decision", ())))
    remark = visit.form.get("remark", "").strip()
    if not decisions or not remark:
        raise ConfigError("expected decisions, and why", where="decision",
                          hint="mark one or more, and write a remark for colleagues")  # fmt: skip
    undone = undo(desk.book, decisions, by=visit.by, remark=remark[:4_000], now=desk.clock())
    mine = {r.id: r.case_id for r in read_rulings(desk.book) if r.id in set(decisions)}
    return show(desk, visit, "bulk-undone.html.jinja", undone=undone, asked=len(decisions),
                cases=sorted(set(mine.values())))  # fmt: skip


def _words(visit: Visit) -> tuple[str, str]:
    verdict, reason = visit.form.get("verdict", ""), visit.form.get("why", "")
    if verdict not in VERDICTS[1:] or reason not in REASONS:
        raise ConfigError("expected a verdict and a reason", where="verdict")
    return verdict, reason


def _lines(desk: Desk, visit: Visit) -> list[Line]:
    cases = list(dict.fromkeys(visit.many.get("case", ())))
    lines = [line for line in map(desk.line, cases) if line is not None]
    if not lines:
        raise ConfigError("no case was chosen", where="queue", hint="mark one or more rows")
    return lines


def _weigh(desk: Desk, line: Line, verdict: str) -> Weighed:
    head = desk.campaign_of(line) or {}
    rungs = records(at(head, "recommended", "rungs"))
    accounts = line.accused if verdict in ADVERSE else line.accounts
    return Weighed(
        row_of(desk, line), accounts,
        next((r for r in rungs if r.get("verdict") == verdict), None),
        verdict == "deny" and accounts > desk.terms.two_people_above_accounts,
        line.verdict is not None and VERDICTS.index(line.verdict) >= VERDICTS.index(verdict),
    )  # fmt: skip
