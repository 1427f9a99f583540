"""`stillwatch ownership`: who owns the accounts' entities, and what counsel's rules make of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.errors import ConfigError

__all__ = ["ownership"]

ownership = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Answer who is owned by listed parties, from statements, rules and a policy file.",
)

_STATEMENTS = typer.Option(
    metavar="FILE", help="BODS 0.4 or FollowTheMoney, JSON or JSON lines; may be given again."
)
_RULES = typer.Option(metavar="FILE", help="Ownership rules in TOML (docs/ownership.md).")
_POLICY = typer.Option(
    metavar="FILE", help="Counsel's Cedar policy; the shipped example where none is given."
)
_AT = typer.Option(metavar="DATE", help="The day to answer for, such as 2026-01-31.")
_SERVICE = typer.Option(metavar="NAME", help="The resource that policies speak of.")


@ownership.command()
def answer(
    statements: Annotated[list[Path], _STATEMENTS],
    rules: Annotated[Path, _RULES],
    at: Annotated[datetime, _AT],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The CSV for `scan --ownership`.")],
    accounts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Accounts table with the column owner_entity_id."),
    ] = None,
    organizations: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Organizations table with that column.")
    ] = None,
    policy: Annotated[Path | None, _POLICY] = None,
    service: Annotated[str, _SERVICE] = "default",
    citations: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Add what each answer rests on, for `guard explain`."),
    ] = None,
) -> None:
    """Write the answers that `scan --ownership` takes, each with the rule and chain it rests on."""
    from stillwatch.cli.terminal import Page
    from stillwatch.policy import read_rules, table_text, told_not_in_force, write_citations

    owners = _owners(accounts, organizations)
    rows, answers, cited = _answers(statements, rules, policy, owners, at, service)
    out.write_text(table_text(rows), encoding="utf-8")
    page = Page()
    for word in ("restricted", "possible", "undetermined", "clear"):
        page.point(f"{word}: {sum(row.access == word for row in rows):,} owners")
    for told in told_not_in_force(answers, read_rules(rules)):
        page.point(told)
    if answers.notes:
        page.point(f"{len(answers.notes):,} statements to be looked at; `ownership why` names them")
    page.sentence(f"Written to {out}.")
    if citations is not None:
        page.sentence(f"{write_citations(citations, cited):,} new citations in {citations}.")


@ownership.command()
def why(
    entity: Annotated[str, typer.Argument(metavar="ENTITY", help="The owner's identifier.")],
    statements: Annotated[list[Path], _STATEMENTS],
    rules: Annotated[Path, _RULES],
    at: Annotated[datetime, _AT],
    policy: Annotated[Path | None, _POLICY] = None,
    service: Annotated[str, _SERVICE] = "default",
) -> None:
    """Print what every rule says of one entity, with every holding that leads to it."""
    from stillwatch.cli.terminal import Page
    from stillwatch.policy import explain_owner, read_rules

    rows, answers, _ = _answers(statements, rules, policy, [entity], at, service)
    page = Page()
    for heading, points in explain_owner(answers, rows[0], read_rules(rules)):
        page.heading(heading)
        for point in points:
            page.point(point)


def _owners(accounts: Path | None, organizations: Path | None) -> list[str]:
    """Return the owners that the tables name, sorted. Raises ConfigError where none is given."""
    from stillwatch.enrich import read_accounts, read_organizations

    if accounts is None and organizations is None:
        raise ConfigError("give --accounts, --organizations, or both", where="ownership answer")
    found: set[str] = set()
    for file, read in ((accounts, read_accounts), (organizations, read_organizations)):
        if file is None:
            continue
        held = read(file)
        if "owner_entity_id" not in held.columns:
            raise ConfigError("no column owner_entity_id", where=file.name)
        found |= {o for o in held.table["owner_entity_id"].to_pylist() if o}
    return sorted(found)


def _answers(
    statements: list[Path],
    rules: Path,
    policy: Path | None,
    owners: list[str],
    at: datetime,
    service: str,
) -> Any:
    from stillwatch.policy import (
        answer_owners,
        example_policy,
        read_policy,
        read_rules,
        read_statements,
    )

    day = at.replace(tzinfo=UTC).date()
    known = read_rules(rules)
    allowed = read_policy(policy or example_policy(), [rule.rule_id for rule in known])
    register = read_statements(statements, day)
    return answer_owners(register, known, allowed, owners, day, service=service)
