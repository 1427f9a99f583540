"""Hands the share room what it may know of a run: campaign lines and fingerprints, no accounts."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from stillwatch.errors import ConfigError, InputError
from stillwatch.store import open_run

__all__ = [
    "accused_rows",
    "read_tokens",
    "read_values",
]

# Fingerprints that travel in the clear: hashes of texts, of no person.
_KINDS: Final = ("near_text", "system_prompt", "tool_schema")
# A fingerprint says something of a campaign when nearly all who carry it are its core members.
_SHARE: Final = 0.8
_CARRIERS: Final = 3
_MOST: Final = 50


def accused_rows(run: Path, campaign: str) -> Iterator[tuple[dict[str, Any], list[dict[str, str]]]]:
    """Yield each accused campaign's line, without its members, and its fingerprints.

    A fingerprint is taken when three or more core members carry it and they are 80 percent of all
    who do; the 50 most carried at most.

    Raises:
        ConfigError: the run has no accused campaign of that id.
        InputError: not a run directory.
    """
    opened = open_run(run)
    lines = [c for c in opened.campaigns if c["standing"] == "accused"]
    if campaign:
        lines = [c for c in lines if c["campaign_id"] == campaign]
    if not lines:
        raise ConfigError("no such accused campaign", where=str(run), hint="see campaigns.jsonl")
    for line in lines:
        core = {m["account_id"] for m in line["members"] if m["role"] == "core"}
        rest = {k: v for k, v in line.items() if k not in ("members", "rivals")}
        yield rest, _fingerprints(run, core)


def _fingerprints(run: Path, core: set[str]) -> list[dict[str, str]]:
    table = open_run(run).table("links", ["a", "b", "kind"])
    carriers: dict[tuple[str, str], set[str]] = defaultdict(set)
    for a, b, kind in zip(*(table[name].to_pylist() for name in ("a", "b", "kind")), strict=True):
        if kind in _KINDS:
            carriers[(kind, a.split(":")[1])].add(b)
    found = [
        (-len(who & core), kind, value)
        for (kind, value), who in carriers.items()
        if len(who & core) >= _CARRIERS and len(who & core) >= _SHARE * len(who)
    ]
    return [{"kind": kind, "value": value} for _, kind, value in sorted(found)[:_MOST]]


def read_tokens(path: Path | None) -> dict[str, list[dict[str, str]]]:
    """Return tokens by campaign, of a file that the matching made inside the provider.

    Raises:
        InputError: a line is no object with campaign_id, kind, value and epoch.
    """
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for number, text in enumerate(path.read_text("utf-8").splitlines() if path else (), 1):
        try:
            row = json.loads(text)
            found[row["campaign_id"]].append({k: str(row[k]) for k in ("kind", "value", "epoch")})
        except (ValueError, KeyError, TypeError) as error:
            raise InputError("no token", where=f"{path}:{number}") from error
    return found


def read_values(path: Path) -> list[dict[str, object]]:
    """Return the lines of a file of canonical values.

    Raises:
        InputError: a line is no object with kind and value; the value is not repeated.
    """
    found = []
    for number, text in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            row = json.loads(text)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not all(
            isinstance(row.get(name), str) for name in ("kind", "value")
        ):
            raise InputError("no line with kind and value", where=f"{path.name}:{number}")
        found.append(row)
    return found
