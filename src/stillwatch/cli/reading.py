"""What was read and what was refused, in a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stillwatch.cli.terminal import Page, command, number_of

if TYPE_CHECKING:
    from stillwatch.sources import IngestResult, Inputs

__all__ = ["print_reading"]

_MOST_REASONS = 10


def print_reading(inputs: Inputs, written: IngestResult | None) -> None:
    """Print counts, the reasons of refusals with their first place, and where the files are."""
    page, ledger = Page(), inputs.ledger
    page.sentence(
        f"{number_of(ledger.rows_read, 'row')} read from {number_of(len(inputs.files), 'file')} "
        f"({', '.join(inputs.formats)}): {ledger.rows_accepted:,} accepted, "
        f"{ledger.rows_rejected:,} refused."
    )
    for table in inputs.tables:
        page.sentence(f"{table.name} is a table of {table.kind}, read at version {table.version}.")
    if ledger.zoneless_times:
        page.sentence(f"{number_of(ledger.zoneless_times, 'time')} without a zone taken as UTC.")
    for name, columns in sorted(ledger.ignored_columns.items()):
        page.sentence(f"{name}: columns without a place are ignored: {', '.join(columns)}.")
    for note, often in sorted(ledger.notes.items()):
        page.sentence(f"{note}: {often:,}.")
    changed = [f"{what} ({often:,})" for what, often in sorted(ledger.coerced.items())]
    if changed:
        page.sentence(f"Changed so that they can be read: {'; '.join(changed)}.")
    reasons = sorted({(r.reason, r.field) for r in ledger.rejected})
    for reason, field in reasons[:_MOST_REASONS]:
        same = [r for r in ledger.rejected if (r.reason, r.field) == (reason, field)]
        first = min(same)
        named = f"{reason} ({field})" if field else reason
        times = number_of(len(same), "time")
        page.point(f"refused {times}: {named}; first at {first.source}:{first.line}")
    if len(reasons) > _MOST_REASONS:
        page.point(f"and {len(reasons) - _MOST_REASONS} more reasons, all in rejected.jsonl")
    if written is not None and written.files:
        folder = written.files[0].parent
        page.sentence(
            f"{number_of(written.rows, 'exchange')} in {number_of(len(written.files), 'file')} "
            f"under {folder} "
            f"({written.size_bytes / 1e6:,.1f} MB)."
        )
        page.sentence(f"Next: {command('scan', folder, '--out', folder.parent / 'run')}")
