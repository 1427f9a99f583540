"""What log and side tables really tell: tables hashed otherwise of none, redacted logs no texts."""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch.runners import LocalRunner

__all__ = ["described", "refuse_silence", "refuse_unfilled"]

_SIDE = "accounts."


def described(runner: LocalRunner) -> int | None:
    """Return of how many accounts of the window a side table tells; None where none has rows.

    Reads the tables `people`, `accounts` and `organizations`.
    """
    told, known = _asked(
        runner, "account_id IN (SELECT account_id FROM accounts) "
        "OR org_id IN (SELECT org_id FROM organizations)",
    )  # fmt: skip
    return known if told else None


def refuse_silence(runner: LocalRunner, columns: Mapping[str, frozenset[str]]) -> None:
    """Keep the columns of those side tables alone that tell of an account of the window.

    ``columns``: of an account, which `accounts` and `organizations` fill. What reads one that is
    taken away is then not evaluable: a table of other accounts clears nobody.
    """
    kept = frozenset[str]()
    for table, key in (("accounts", "account_id"), ("organizations", "org_id")):
        if _asked(runner, f"{key} IN (SELECT {key} FROM {table})")[1]:
            kept |= columns[table]
    rest = frozenset(c for c in runner.columns if not c.startswith(_SIDE))
    runner.columns = rest | {f"{_SIDE}{c}" for c in kept}


def refuse_unfilled(runner: LocalRunner) -> None:
    """Take away messages and addresses where no exchange of the window has any.

    A format promises what it can hold; where texts were redacted or never logged, what reads them
    is not evaluable, as in a format without them. Reads the table `exchanges`.
    """
    seen = runner.query(
        "SELECT max(n_messages) > 0 AS messages, max(h_prefix) > 0 AS ip FROM exchanges"
    ).to_pylist()[0]
    runner.columns -= {name for name, filled in seen.items() if not filled}


def _asked(runner: LocalRunner, told_of: str) -> tuple[int, int]:
    """Return the rows of both side tables, and the accounts of which ``told_of`` is true."""
    found = runner.query(
        f"""SELECT (SELECT count(*) FROM accounts) + (SELECT count(*) FROM organizations) AS told,
                   count(DISTINCT account_id) FILTER ({told_of}) AS known FROM people"""
    ).to_pylist()[0]
    return found["told"], found["known"]
