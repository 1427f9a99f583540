"""Tables as CSV whose cells no spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

from stillwatch.report.visible import visible

__all__ = ["csv_text"]

# What begins a formula, also in full width, as spreadsheets of East Asia take it.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return RFC 4180; a text that could begin a formula gets an apostrophe before it.

    Numbers stay numbers; characters that hide or reorder text are spelled out. *Source*: OWASP,
    CSV Injection.

    >>> csv_text(["a"], [["=1+1"], [-2], ["x, y"]]).splitlines()
    ['a', "'=1+1", '-2', '"x, y"']
    """
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_MINIMAL)
    writer.writerow([_cell(name) for name in header])
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, int | float) or value is None:
        return value
    told = str(value)
    shown = visible(told)
    return f"'{shown}" if told.lstrip(" ").startswith(_FORMULA) else shown
