"""The side table that `scan --ownership` takes, made from statements, rules and a policy file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from stillwatch.policy.access import AccessPolicy
from stillwatch.policy.citations import Citation, cite
from stillwatch.policy.owners import Answer, Answers, OwnershipRule, Register, answer_all
from stillwatch.policy.owners.chains import describe
from stillwatch.policy.owners.holdings import percent

__all__ = ["OwnershipRow", "answer_owners", "explain_owner", "table_text", "told_not_in_force"]

_COLUMNS: Final = ("owner_entity_id", "access", "as_of", "policy", "rules", "citation", "proof")
_MOST_OF_A_CHAIN: Final = 5


@dataclass(frozen=True)
class OwnershipRow:
    """One owner's access, and in ``policy`` the policies, rules and holdings that it rests on.

    ``rules``: policies and rules alone, with version and text, nothing of the owner; what may leave
    the analysts' hands. ``citation``: the id of the whole, as in the file of citations; ``proof``:
    the digest of what the answer follows from, which stays while that does.
    """

    owner_entity_id: str
    access: str
    as_of: datetime
    policy: str
    rules: str = ""
    citation: str = ""
    proof: str = ""


def answer_owners(
    register: Register,
    rules: Sequence[OwnershipRule],
    policy: AccessPolicy,
    owners: Iterable[str],
    at: date,
    *,
    service: str = "default",
) -> tuple[list[OwnershipRow], Answers, list[Citation]]:
    """Return a row an owner, in the order of their identifiers, the answers behind them, and the
    citations that the rows name."""
    answers = answer_all(register, rules, owners, at)
    as_of = datetime(at.year, at.month, at.day, tzinfo=UTC)
    by_id = {rule.rule_id: rule for rule in rules}
    rows, citations = [], []
    for owner, given in sorted(answers.by_entity.items()):
        decision = policy.decide(owner, given, service=service)
        behind = [a for a in given if a.access == decision.access]
        cited = "; ".join([*(f"policy {name}" for name in decision.policies),
                           *(_because(answer) for answer in behind)])  # fmt: skip
        made = cite(owner, decision, given, by_id, register, at, service)
        citations.append(made)
        rows.append(
            OwnershipRow(
                owner, decision.access, as_of, cited, made.rules, made.citation_id, made.proof
            )
        )
    return rows, answers, citations


def _because(answer: Answer) -> str:
    told = f"rule {answer.rule_id} with list {answer.list_version}"
    if answer.access == "clear":
        return told
    if not answer.chain:
        return f"{told}: no statement speaks of its owners"
    steps = [describe(step) for step in answer.chain[:_MOST_OF_A_CHAIN]]
    more = len(answer.chain) - len(steps)
    return ": ".join([told, " / ".join(steps)]) + (f" / and {more} more" if more else "")


def table_text(rows: Iterable[OwnershipRow]) -> str:
    """Return the rows as the CSV that `scan --ownership` reads."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        moment = row.as_of.isoformat().replace("+00:00", "Z")
        writer.writerow(
            (
                row.owner_entity_id,
                row.access,
                moment,
                row.policy,
                row.rules,
                row.citation,
                row.proof,
            )
        )
    return out.getvalue()


def told_not_in_force(answers: Answers, rules: Iterable[OwnershipRule]) -> list[str]:
    """Return a sentence for each rule that answered nothing, with what counsel found about it."""
    gone = set(answers.not_in_force)
    return [
        f"rule {rule.rule_id} is not in force on that day. Its legal status, as of "
        f"{rule.checked_on}: {' '.join(rule.legal_status.split())}"
        for rule in rules
        if rule.rule_id in gone
    ]


def explain_owner(
    answers: Answers, row: OwnershipRow, rules: Iterable[OwnershipRule]
) -> list[tuple[str, list[str]]]:
    """Return headings with sentences: the access, then each rule's answer and its whole chain."""
    day = row.as_of.date().isoformat()
    sections = [(f"{row.owner_entity_id}: {row.access} on {day}", [row.policy])]
    for answer in answers.by_entity[row.owner_entity_id]:
        points = [
            f"listed parties hold {percent(answer.low)} at least, {percent(answer.high)} at most, "
            f"{percent(answer.unknown)} with owners of whom nothing is known"
        ]
        points += [describe(step) for step in answer.chain]
        heading = f"Rule {answer.rule_id} on {answer.interest}: {answer.access}"
        sections.append((heading, points))
    if answers.not_in_force:
        sections.append(("Rules that answered nothing", told_not_in_force(answers, rules)))
    if answers.notes:
        told = [f"statement {note.statement} {note.text}" for note in answers.notes]
        sections.append(("To be looked at", told))
    return sections
