"""What a log fills, and what each gap costs in detection."""

from __future__ import annotations

from collections.abc import Iterator

from stillwatch.cli.terminal import Page, number_of
from stillwatch.schema.arrow import EXCHANGE, REQUIRED_EXCHANGE_COLUMNS
from stillwatch.signals import TESTS, lacking
from stillwatch.sources import Coverage, Mapping

__all__ = ["print_coverage"]

_NOT_SPELLED = ("", "bodies", "digest of the row", "user agent", "constant")
_ALSO = {
    "org_id": "accounts of one organization look like strangers that act together, unless "
    "--accounts names it",
    "end_user_id": "who is behind a gateway's account cannot be told apart",
    "tool_schema": "no links by the same tool definitions",
    "ja4": "clients are told apart by their user agent alone, which anybody can set",
    "user_agent": "clients are told apart by their TLS fingerprint alone",
    "output_tokens": "no prevalence by tokens, no value at risk",
    "cost_usd": "no revenue beside what a campaign took",
    "channel": "accounts are compared across products: give `segment` in --accounts",
}


def print_coverage(coverage: Coverage, mapping: Mapping | None) -> None:
    """Print the columns that the first rows fill, then the signals that could not be evaluated.

    Where no row was accepted that would say nothing about the log; the reasons say why.
    """
    if not coverage.rows:
        return
    page = Page()
    exchanges = number_of(coverage.rows, "exchange")
    page.heading(f"What the first {exchanges} hold{'s' * (coverage.rows == 1)}")
    heads = ["column", ">filled", "from"] if mapping else ["column", ">filled"]
    page.table(heads, [_row(name, coverage, mapping) for name in EXCHANGE.names
                       if coverage.filled[name]])  # fmt: skip
    empty = [name for name in EXCHANGE.names if not coverage.filled[name]]
    if empty:
        page.sentence(f"In none of them: {', '.join(empty)}.")
        for name in empty:
            if mapping and mapping.source_of(name) not in _NOT_SPELLED:
                page.point(f"{name} = '{mapping.source_of(name)}' finds nothing: is it spelled so?")
    page.heading("What that costs")
    columns = coverage.columns
    for test in TESTS:
        absent = lacking(test, columns)
        ours = [c for c in absent if not c.startswith("accounts.")]
        if ours:
            page.point(f"not evaluable: {test.title} ({test.claim}), for want of {', '.join(ours)}")
    for name, cost in _costs(columns):
        page.point(f"{name}: {cost}")
    if "messages" not in columns:
        page.sentence("Without messages nothing can be accused: a scan says *cannot accuse*.")
    side = sorted({c.removeprefix("accounts.") for t in TESTS for c in lacking(t, columns)
                   if c.startswith("accounts.")})  # fmt: skip
    if side:
        page.sentence(f"From a side table, --accounts: {', '.join(side)}.")


def _costs(columns: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield a column that no row fills, and what is lost with it besides whole tests."""
    clients = {"ja4", "user_agent"}
    if columns.isdisjoint(clients):
        yield "ja4, user_agent", "no links by the same client"
    for name, cost in _ALSO.items():
        if name not in columns and (name not in clients or columns & clients):
            yield name, cost


def _row(name: str, coverage: Coverage, mapping: Mapping | None) -> list[str]:
    share = coverage.share(name)
    filled = "all" if share == 1 else "under 0.1 %" if share < 0.001 else f"{share:.1%}"
    required = name + (" (required)" if name in REQUIRED_EXCHANGE_COLUMNS else "")
    return [required, filled] + ([mapping.source_of(name)] if mapping else [])
