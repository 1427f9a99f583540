"""Accounts whose e-mail domain is on a list of disposable ones. It explains, and is no evidence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pyarrow as pa

from stillwatch.errors import ConfigError, InputError
from stillwatch.schema.arrow import CONTEXT

__all__ = ["DISPOSABLE", "PACKAGE", "disposable_accounts", "read_domains"]

DISPOSABLE: Final = "disposable_email"
PACKAGE: Final = "package"


def read_domains(source: str | os.PathLike[str]) -> frozenset[str]:
    """Return the domains of a file, one a line, or of the package disposable-email-domains.

    Raises InputError: the file cannot be read; ConfigError: the package is not installed.
    """
    if os.fspath(source) == PACKAGE:
        try:
            from disposable_email_domains import blocklist
        except ModuleNotFoundError:
            raise ConfigError(
                "needs the package disposable-email-domains", where="--disposable",
                hint="pip install 'stillwatch[enrich]', or give a file",
            ) from None  # fmt: skip
        return frozenset(blocklist)
    try:
        lines = Path(source).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise InputError(
            f"cannot be read ({why})", where=str(source),
            hint=f"give a file with a domain a line, or the word {PACKAGE}",
        ) from error  # fmt: skip
    words = (line.partition("#")[0].strip().lower() for line in lines)
    return frozenset(word for word in words if word)


def disposable_accounts(accounts: pa.Table, domains: frozenset[str]) -> pa.Table:
    """Return, in the CONTEXT schema, the accounts with a domain on the list or below one.

    >>> rows = {"account_id": ["a", "b"], "email_domain": ["in.trash.example", "mail.example"]}
    >>> disposable_accounts(pa.table(rows), frozenset({"trash.example"}))["account_id"].to_pylist()
    ['a']
    """
    known: dict[str, bool] = {}
    found = set()
    pairs = zip(
        accounts["account_id"].to_pylist(), accounts["email_domain"].to_pylist(), strict=True
    )
    for account, domain in pairs:
        if domain and known.setdefault(domain, _listed(domain, domains)):
            found.add(account)
    rows = [{"account_id": a, "kind": DISPOSABLE, "exchanges": None} for a in sorted(found)]
    return pa.Table.from_pylist(rows, schema=CONTEXT)


def _listed(domain: str, domains: frozenset[str]) -> bool:
    parts = domain.lower().rstrip(".").split(".")
    return any(".".join(parts[at:]) in domains for at in range(len(parts) - 1))
