"""A case on one page: what is claimed, what speaks against it, what was decided, who is in it."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from stillwatch.cases import (
    Line,
    Ruling,
    decided_on,
    page_members,
    read_appeals,
    read_attachments,
    read_entries,
    read_evidence,
    read_rulings,
)
from stillwatch.console.desk import Desk, Visit
from stillwatch.console.paper import refuse, show
from stillwatch.errors import ConfigError
from stillwatch.report.chapter import Chapter, write_chapter
from stillwatch.report.facts import Facts, read_facts
from stillwatch.schema import OWNERSHIP, VERDICTS
from stillwatch.store.index import Part

__all__ = ["chapter_of", "facts_of", "missing", "show_case", "show_members"]

_PER_PAGE: Final = 25
_MOST_OWNED: Final = 200


def missing(desk: Desk, visit: Visit) -> Response:
    """Return the page for a case that is not there."""
    return refuse(desk, visit, 404, "No such case", "The case database holds no case of that name.",
                  "The queue lists all.")  # fmt: skip


def facts_of(desk: Desk, line: Line, *, tables: tuple[str, ...] = (), members: int = 0) -> Facts:
    """Return what the pictures need of the case's campaign.

    Where this run does not hold it, the evidence of the scan that last saw it, without pictures.
    Raises ConfigError: that evidence was purged, or the case is of no campaign.
    """
    if line.kind == OWNERSHIP:
        raise ConfigError("it is of refusals by ownership, and no campaign", where=line.case_id,
                          hint="its page shows all that there is")  # fmt: skip
    if line.campaign_id in desk.index.heads:
        part = desk.index.about_campaign(line.campaign_id, tables=tables, members=members)
    else:
        part = Part(desk.run, [read_evidence(desk.book, line.case_id)], {})
    return read_facts(part)


def chapter_of(desk: Desk, line: Line) -> Chapter:
    """Return the words and small pictures of the case; raster, links and members come apart."""

    def make() -> Chapter:
        facts = facts_of(desk, line, tables=("coverage",))
        return write_chapter(facts, facts.shown[0])

    return desk.once(("chapter", line.case_id, line.campaign_id, line.seen), make)


def show_case(desk: Desk, visit: Visit) -> Response:
    """Show a case."""
    line = desk.line(visit.path["case"])
    if line is None:
        return missing(desk, visit)
    if line.kind == OWNERSHIP:
        evidence = read_evidence(desk.book, line.case_id)
        members, _ = page_members(desk.book, line.case_id, first=0, most=_MOST_OWNED)
        return show(
            desk, visit, "ownership.html.jinja", **_judged(desk, line), evidence=evidence,
            members=members, ref=desk.index.ref,
        )  # fmt: skip
    return show(
        desk, visit, "case.html.jinja", **_judged(desk, line), chapter=chapter_of(desk, line),
        held=line.campaign_id in desk.index.heads,
        head=desk.campaign_of(line) or {}, signups=desk.index.signups(line.campaign_id),
        longest={v: int(d.days) for v, d in desk.terms.longest.items()},
        two_above=desk.terms.two_people_above_accounts,
        verdicts=VERDICTS[1:], ref=desk.index.ref,
    )  # fmt: skip


def _judged(desk: Desk, line: Line) -> dict[str, Any]:
    """Return what every case's page shows: decisions, appeals, files, history, neighbours."""
    now, lines = desk.now(), desk.lines()
    rulings = read_rulings(desk.book, line.case_id)
    mine = {r.id for r in rulings}
    place = next(n for n, other in enumerate(lines) if other.case_id == line.case_id)
    return {
        "line": line, "rulings": rulings, "at": now,
        "stands": {r.id for r in rulings if not r.relaxes},
        "appeals": [a for a in read_appeals(desk.book) if a.decision in mine],
        "files": read_attachments(desk.book, line.case_id), "most_attached": desk.most_attached,
        "entries": read_entries(desk.book, line.case_id),
        "next": lines[place + 1].case_id if place + 1 < len(lines) else None,
        "before": lines[place - 1].case_id if place else None,
        "state_of": lambda r: state_of(r, now),
    }  # fmt: skip


def state_of(ruling: Ruling, now: Any) -> str:
    """Return in one word what has become of a decision."""
    if ruling.undoes:
        return "an undoing"
    if ruling.undone_by:
        return "undone"
    if ruling.expires <= now:
        return "lapsed"
    return "waits for a second person" if ruling.pending else "in force"


def show_members(desk: Desk, visit: Visit) -> Response:
    """Show one page of a case's members: the surest first, with what was decided on each."""
    line = desk.line(visit.path["case"])
    if line is None:
        return missing(desk, visit)
    page = visit.number("page", 1, 1, 100_000)
    role = visit.query.get("role", "")
    role = role if role in ("core", "periphery") else ""
    first = (page - 1) * _PER_PAGE
    if line.campaign_id in desk.index.heads:
        rows, total = desk.index.members(line.campaign_id, first=first, most=_PER_PAGE, role=role)
    else:
        found, total = page_members(desk.book, line.case_id, first=first, most=_PER_PAGE)
        rows = [{"account_id": a, "end_user_id": None, "role": r, "standing": s,
                 "confidence": None, "reasons": []} for a, r, s in found]  # fmt: skip
    verdicts = _verdicts(desk, [row["account_id"] for row in rows])
    return show(
        desk, visit, "members.html.jinja", line=line, rows=rows, total=total, page=page,
        pages=max(1, -(-total // _PER_PAGE)), first=first, role=role, verdicts=verdicts,
        ref=desk.index.ref,
    )  # fmt: skip


def _verdicts(desk: Desk, accounts: list[str]) -> dict[str, str]:
    """Return, of the accounts with a decision in force, the strictest word."""
    now = desk.now()
    standing = {r.id: r for r in read_rulings(desk.book) if r.stands(now)}
    words = {}
    for account, decisions in decided_on(desk.book, accounts).items():
        mine = [standing[d].verdict for d in decisions if d in standing]
        if mine:
            words[account] = max(mine, key=VERDICTS.index)
    return words
