"""How many of the log's accounts the side table tells of: hashed otherwise, it tells of none."""

from __future__ import annotations

from stillwatch.runners import LocalRunner

__all__ = ["described", "refuse_silence"]

_SIDE = "accounts."


def described(runner: LocalRunner) -> int | None:
    """Return how many accounts of the window have a row in the side table; None without rows.

    Reads the tables `people` and `accounts`.
    """
    found = runner.query(
        """SELECT (SELECT count(*) FROM accounts) AS told, count(DISTINCT account_id) AS known
           FROM people p SEMI JOIN accounts a USING (account_id)"""
    ).to_pylist()[0]
    return found["known"] if found["told"] else None


def refuse_silence(runner: LocalRunner) -> None:
    """Take the side table's columns away where it tells of no account of the window.

    What reads them is then not evaluable: a table of other accounts clears nobody.
    """
    if not described(runner):
        runner.columns = frozenset(c for c in runner.columns if not c.startswith(_SIDE))
