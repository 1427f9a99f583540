"""What `case refusals` joins: a guard's log and snapshot, the run, citations, and the cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from stillwatch.cases import (
    accounts_of,
    enter_refusals,
    open_book,
    read_refused,
    read_terms,
)
from stillwatch.guard import read_snapshot
from stillwatch.policy import read_citations
from stillwatch.seal import read_public_key
from stillwatch.store import open_run

__all__ = ["entered_refusals"]


def entered_refusals(
    logs: Sequence[Path], run: Path, snapshot: Path, trust: Sequence[Path], db: str,
    citations: Path | None, terms: Path | None,
) -> Iterator[str]:  # fmt: skip
    """Enter refusals and yield what was done. Raises as its parts."""
    salt = read_snapshot(snapshot, [read_public_key(path) for path in trust]).salt
    refused = read_refused(logs)
    accounts = accounts_of(open_run(run), salt, {one.subject for one in refused})
    said = {} if citations is None else {c.citation_id: c.said for c in read_citations(citations)}
    made = enter_refusals(
        open_book(db), refused, accounts, said, terms=read_terms(terms), now=datetime.now(UTC)
    )
    for decision, case_id, verdict in made.decisions:
        yield f"{decision} in {case_id}: {verdict}; its notice is `case notice {decision}`."
    yield (
        f"{len(made.decisions):,} refusals entered, {made.covered:,} that an earlier decision "
        "speaks of."
    )
    if made.strangers:
        yield f"{made.strangers:,} are of accounts that the run does not know: give its own run."
    uncited = len({one.citation for one in refused if one.citation} - set(said))
    if uncited:
        yield (
            f"{uncited:,} citations were not found: their notices name no rule. Give --citations."
        )
