"""What log and side tables really tell: tables hashed otherwise of none, redacted logs no texts."""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch.runners import LocalRunner

__all__ = ["described", "refuse_silence", "refuse_unfilled"]

_SIDE = "accounts."
_OF_A_SIGN_UP = ("created_at", "payment_hash", "phone_hash", "email_hash")
_FILLED = """
    max(n_messages) > 0 AS messages, max(h_prefix) > 0 AS ip, max(h_output) > 0 AS output_text,
    max(h_blob) > 0 AS reasoning_blob, count(status) > 0 AS status"""


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
    taken away is then not evaluable: a table of other accounts clears nobody, nor does a column
    that is empty for each account of the window. An empty end (`closed_at`, `closed_reason`) says
    something: nobody was banned.
    """
    kept = frozenset[str]()
    for table, key in (("accounts", "account_id"), ("organizations", "org_id")):
        if _asked(runner, f"{key} IN (SELECT {key} FROM {table})")[1]:
            kept |= columns[table]
    seen = ", ".join(f"count({c}) > 0 AS {c}" for c in _OF_A_SIGN_UP)
    filled = runner.query(f"SELECT {seen} FROM people").to_pylist()[0]
    kept -= {name for name in _OF_A_SIGN_UP if not filled[name]}
    rest = frozenset(c for c in runner.columns if not c.startswith(_SIDE))
    runner.columns = rest | {f"{_SIDE}{c}" for c in kept}


def refuse_unfilled(runner: LocalRunner) -> None:
    """Take away the columns that no exchange of the window fills, of those that a test reads.

    A format promises what it can hold; where texts were redacted, or answers, states or addresses
    were never logged, what reads them is not evaluable, as in a format without them. Reads the
    table `exchanges`.
    """
    seen = runner.query(f"SELECT {_FILLED} FROM exchanges").to_pylist()[0]
    runner.columns -= {name for name, filled in seen.items() if not filled}


def _asked(runner: LocalRunner, told_of: str) -> tuple[int, int]:
    """Return the rows of both side tables, and the accounts of which ``told_of`` is true."""
    found = runner.query(
        f"""SELECT (SELECT count(*) FROM accounts) + (SELECT count(*) FROM organizations) AS told,
                   count(DISTINCT account_id) FILTER ({told_of}) AS known FROM people"""
    ).to_pylist()[0]
    return found["told"], found["known"]
