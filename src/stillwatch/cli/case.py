"""`stillwatch case`: cases, decisions and appeals, for the people who must decide."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.errors import ConfigError

__all__ = ["case"]

case = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Open cases from a run, decide, hear appeals, hand out evidence.",
)

DB = Annotated[
    str, typer.Option(metavar="FILE", help="Case database: a file, or a PostgreSQL URL.")
]
BY = Annotated[str, typer.Option(metavar="NAME", help="Who does this; it is written down.")]
TERMS = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Terms of judgement in TOML, if not the shipped."),
]
CASE = Annotated[str, typer.Argument(metavar="CASE", help="The case's id, as `case list` shows.")]


@case.command("open")
def open_(
    run: Annotated[Path, typer.Option(metavar="DIR", help="Run directory that a scan wrote.")],
    db: DB,
    standing: Annotated[
        list[str] | None,
        typer.Option(metavar="WORD", help="Campaigns to open; may be given again. Else accused."),
    ] = None,
) -> None:
    """Bring a run's campaigns in: new cases are opened, known ones carried on, split or merged."""
    from stillwatch.cases import open_cases
    from stillwatch.cli.terminal import Page
    from stillwatch.store import open_run

    page = Page()
    standings = tuple(standing or ["accused"])
    opened = open_cases(_book(db, make=True), open_run(run), now=_now(), standings=standings)
    if not opened:
        page.sentence(
            f"No campaign of this run is {' or '.join(standings)}, or only such as cases were "
            "closed on: nothing was opened."
        )
    for seen in opened:
        told = f"{seen.case_id}: {seen.change}, campaign {seen.campaign_id}"
        if seen.came or seen.left:
            told += f", {seen.came:,} accounts came and {seen.left:,} left"
        if seen.other_case:
            told += f", {'into' if seen.change == 'merged' else 'from'} {seen.other_case}"
        page.point(told)


@case.command("list")
def list_(db: DB, terms: TERMS = None) -> None:
    """List the cases, what stands on their accounts, and the appeals that wait."""
    from stillwatch.cases import in_force, read_appeals, read_cases, read_members
    from stillwatch.cli.terminal import Page

    book, page = _book(db), Page()
    now, said = _now(), _terms(terms)
    standing = [
        *in_force(book, terms=said, now=now).values(),
        *in_force(book, terms=said, now=now, ownership=True).values(),
    ]
    rows = []
    for held in read_cases(book):
        members = [m for m in read_members(book, held.id) if m[3]]
        acting = sum(v.case_id == held.id for v in standing)
        rows.append((held.id, held.kind, held.state, f"{len(members):,}", f"{acting:,}",
                     held.assigned_to or "", _time(held.opened)))  # fmt: skip
    heads = ("case", "of", "state", ">accounts", ">under a verdict", "assigned to", "opened")
    page.table(heads, rows)
    waiting = [a for a in read_appeals(book) if a.state == "open"]
    if waiting:
        page.heading("Appeals that wait")
        for appeal in waiting:
            late = " (overdue)" * (appeal.due <= now)
            page.point(f"{appeal.id} against {appeal.decision}, due {_time(appeal.due)}{late}")


@case.command()
def show(name: CASE, db: DB) -> None:
    """Show a case: its campaigns, members, decisions and appeals."""
    from stillwatch.cases import read_appeals, read_case, read_decisions, read_members
    from stillwatch.cli.terminal import Page

    book, page = _book(db), Page()
    held = read_case(book, name)
    page.heading(f"{held.id}: {held.state}, opened {_time(held.opened)}")
    what = "campaigns" if held.kind == "campaign" else "refusals by one ownership answer"
    page.point(f"{what}: {', '.join(held.campaign_ids)}")
    page.point(f"evidence: {held.evidence_digest}")
    if held.merged_into:
        page.point(f"merged into {held.merged_into}")
    decisions = read_decisions(book, name)
    page.heading(f"Decisions ({len(decisions):,})")
    for d in decisions:
        state = "waits for a second person" if d.pending else f"until {_time(d.expires)}"
        undoes = f", undoes {d.undoes}" if d.undoes else ""
        page.point(
            f"{d.id}: {d.verdict} on {len(d.accounts):,} accounts by {d.by}, {state}{undoes}"
        )
    known = {d.id for d in decisions}
    for a in read_appeals(book):
        if a.decision in known:
            page.point(f"{a.id} against {a.decision}: {a.state}, due {_time(a.due)}")
    members = read_members(book, name)
    page.heading(f"Members ({sum(m[3] for m in members):,})")
    page.table(
        ("account", "role", "standing", "still a member"),
        [(m[0], m[1], m[2], "yes" if m[3] else "no") for m in members],
    )


@case.command()
def decide(
    name: CASE,
    verdict: Annotated[str, typer.Option(metavar="WORD", help="watch, throttle, step_up … deny.")],
    reason: Annotated[str, typer.Option(metavar="WORD", help="A reason of docs/cases.md.")],
    by: BY,
    db: DB,
    account: Annotated[
        list[str] | None,
        typer.Option(metavar="ACCOUNT", help="One account; may be given again. Else all accused."),
    ] = None,
    expires: Annotated[
        datetime | None, typer.Option(metavar="TIME", help="When it ends, UTC; else as terms say.")
    ] = None,
    remark: Annotated[
        str, typer.Option(metavar="TEXT", help="For colleagues; it is in no notice.")
    ] = "",
    terms: TERMS = None,
) -> None:
    """Decide on a case's accounts. What is adverse writes a notice and ends by itself."""
    from stillwatch.cases import Order
    from stillwatch.cases import decide as decide_case
    from stillwatch.cli.terminal import Page

    until = expires.replace(tzinfo=UTC) if expires else None
    order = Order(name, tuple(account) if account else None, verdict, reason, by, until, remark)
    made = decide_case(_book(db), order, terms=_terms(terms), now=_now())
    state = "waits for a second person's approval" if made.pending else "is in force"
    Page().sentence(
        f"{made.id}: {made.verdict} on {len(made.accounts):,} accounts {state}, until "
        f"{_time(made.expires)}."
    )


DECISION = Annotated[str, typer.Argument(metavar="DECISION", help="The decision's id.")]


@case.command()
def approve(name: DECISION, by: BY, db: DB, terms: TERMS = None) -> None:
    """Let a pending decision take effect; whoever decided cannot approve."""
    from stillwatch.cases import approve as approve_decision
    from stillwatch.cli.terminal import Page

    made = approve_decision(_book(db), name, by=by, terms=_terms(terms), now=_now())
    Page().sentence(f"{made.id} is in force until {_time(made.expires)}.")


@case.command()
def undo(
    by: BY,
    db: DB,
    decision: Annotated[
        list[str] | None, typer.Option(metavar="DECISION", help="One decision; may be given again.")
    ] = None,
    account: Annotated[
        str | None, typer.Option(metavar="ACCOUNT", help="Every decision on one account alone.")
    ] = None,
    of_case: Annotated[
        str | None, typer.Option("--case", metavar="CASE", help="Every decision of a case.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(metavar="TIME", help="Everything decided since, UTC.")
    ] = None,
    remark: Annotated[str, typer.Option(metavar="TEXT", help="Why, for colleagues.")] = "",
) -> None:
    """Undo decisions: one, those on an account, those of a case, or everything since a time."""
    from stillwatch.cases import read_decisions
    from stillwatch.cases import undo as undo_decisions
    from stillwatch.cli.terminal import Page
    from stillwatch.report.numbers import counted

    if sum(x is not None for x in (decision or None, account, of_case, since)) != 1:
        raise ConfigError("give one of --decision, --account, --case, --since", where="case undo")
    book = _book(db)
    begin = since.replace(tzinfo=UTC) if since else None
    chosen = decision or [
        d.id
        for d in read_decisions(book)
        if (of_case is not None and d.case_id == of_case)
        or (account is not None and d.scope == "account" and d.subject == account)
        or (begin is not None and d.at >= begin)
    ]
    count = undo_decisions(book, chosen, by=by, remark=remark, now=_now())
    Page().sentence(f"{counted(count, 'decision')} undone.")


@case.command()
def notice(
    name: DECISION,
    account: Annotated[str, typer.Option(metavar="ACCOUNT", help="Whom it goes to.")],
    db: DB,
) -> None:
    """Print the notice of a decision as one account gets it."""
    from stillwatch.cases import read_notice

    print(read_notice(_book(db), name, account), end="")


@case.command()
def appeal(
    name: DECISION,
    account: Annotated[str, typer.Option(metavar="ACCOUNT", help="The account that appeals.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who appeals.")],
    db: DB,
    terms: TERMS = None,
) -> None:
    """Enter an appeal; its clock starts now, and when it has run out the decision relaxes.

    Not a refusal of a certain ownership answer, unless the terms say so: it waits, overdue.
    DECISION may be the reference that the guard gave.
    """
    from stillwatch.cases import appeal as enter_appeal
    from stillwatch.cli.terminal import Page

    made = enter_appeal(_book(db), name, account, by=by, terms=_terms(terms), now=_now())
    Page().sentence(f"{made.id}: to be decided by {_time(made.due)}.")


@case.command()
def resolve(
    name: Annotated[str, typer.Argument(metavar="APPEAL", help="The appeal's id.")],
    outcome: Annotated[str, typer.Option(metavar="WORD", help="upheld or rejected.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why.")],
    by: BY,
    db: DB,
) -> None:
    """Decide an appeal; not by anyone who had a part in the decision."""
    from stillwatch.cases import resolve as resolve_appeal
    from stillwatch.cli.terminal import Page

    if outcome not in ("upheld", "rejected"):
        raise ConfigError("expected upheld or rejected", where="--outcome")
    held = resolve_appeal(
        _book(db), name, upheld=outcome == "upheld", by=by, reason=reason, now=_now()
    )
    Page().sentence(f"{held.id} is {held.state}.")


@case.command("label")
def label_(
    name: CASE,
    account: Annotated[str, typer.Option(metavar="ACCOUNT", help="An account of the case.")],
    verdict: Annotated[str, typer.Option(metavar="WORD", help="true (it distils), false, unsure.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="How that was found out.")],
    by: BY,
    db: DB,
) -> None:
    """Enter what a person found out about an account; the calibration of scans reads it."""
    from stillwatch.cases import label
    from stillwatch.cli.terminal import Page

    label(_book(db), name, account, verdict=verdict, reason=reason, by=by, now=_now())
    Page().sentence(f"Labelled {verdict}: one account of {name}.")


@case.command()
def close(
    name: CASE,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the history.")],
    by: BY,
    db: DB,
) -> None:
    """Close a case; what stands on it runs until it ends, else the guard lets its campaign go."""
    from stillwatch.cases import close_case
    from stillwatch.cli.terminal import Page

    close_case(_book(db), name, reason=reason, by=by, now=_now())
    Page().sentence(f"{name} is closed; it comes back as a new case when its evidence is another.")


@case.command("effects")
def effects_(
    db: DB,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="JSON for the next scan and the guard.")
    ],
    terms: TERMS = None,
) -> None:
    """Write what is in force and what appeals corrected; lapsed appeals are entered first."""
    import orjson

    from stillwatch.cases import effects, settle
    from stillwatch.cli.terminal import Page
    from stillwatch.report.numbers import counted

    book, now = _book(db), _now()
    lapsed = settle(book, now=now)
    held = effects(book, terms=_terms(terms), now=now)
    out.write_bytes(orjson.dumps(held, option=orjson.OPT_INDENT_2))
    Page().sentence(
        f"{counted(len(held['verdicts']), 'verdict')} in force, "
        f"{counted(len(held['corrections']), 'correction')}, "
        f"{counted(len(lapsed), 'appeal')} lapsed now. Written to {out}."
    )


def _book(db: str, *, make: bool = False) -> Any:
    from stillwatch.cases import open_book

    return open_book(db, make=make)


def _terms(path: Path | None) -> Any:
    from stillwatch.cases import read_terms

    return read_terms(path)


def _now() -> datetime:
    return datetime.now(UTC)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
