"""Ownership rules in TOML: what counsel decides, dated, with the legal status beside it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from stillwatch.errors import ConfigError, InputError, why
from stillwatch.policy.owners.holdings import parts_of
from stillwatch.schema import read_toml

__all__ = ["OwnershipRule", "example_rules", "read_rules"]

EXAMPLES: Final = Path(__file__).parents[1] / "rules"
_METHODS: Final = ("cascade", "product")
_OPERATORS: Final = (">=", ">")
_REMAINDERS: Final = ("unknown", "clear")
_KEYS: Final = frozenset(
    {"id", "title", "method", "threshold_percent", "operator", "interests", "remainder",
     "in_force", "legal_status", "seeds"}
)  # fmt: skip
_HINT: Final = "docs/ownership.md shows a rule with every key"


@dataclass(frozen=True)
class OwnershipRule:
    """One rule. ``threshold`` in parts of the whole; ``in_force``: half-open spans of days.

    ``interests``: each is a graph of its own and the strictest answer stands. ``remainder``: what
    the statements do not cover is ``unknown``, or ``clear`` by decision of counsel.
    ``seeds``: identifiers of listed parties; ``jurisdictions``: entities registered there are
    seeds, persons never.
    """

    rule_id: str
    title: str
    method: str
    threshold: int
    operator: str
    interests: tuple[str, ...]
    remainder: str
    in_force: tuple[tuple[date, date | None], ...]
    legal_status: str
    checked_on: date
    seeds: frozenset[str]
    jurisdictions: frozenset[str]
    list_version: str

    def in_force_on(self, day: date) -> bool:
        """Return whether the rule applies on that day."""
        return any(begin <= day and (end is None or day < end) for begin, end in self.in_force)

    @cached_property
    def version(self) -> str:
        """The first 16 hexadecimal digits of SHA-256 over all that the rule says, its list too.

        A rule that says anything else has another version, whether or not anybody noted it.
        """
        said = {k: sorted(v) if isinstance(v, frozenset) else v for k, v in asdict(self).items()}
        text = json.dumps(said, sort_keys=True, default=date.isoformat)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def strict(self) -> bool:
        """Return whether the threshold must be exceeded, not only reached."""
        return self.operator == ">"


def read_rules(path: str | os.PathLike[str]) -> tuple[OwnershipRule, ...]:
    """Return the rules of a TOML file.

    Raises InputError: it cannot be read. ConfigError: it is not TOML, a key is missing, unknown or
    wrong, or two rules have one id.
    """
    file = Path(path)
    held = read_toml(file)
    listed = held.get("rule")
    if set(held) != {"rule"} or not isinstance(listed, list) or not listed:
        raise ConfigError("expected [[rule]] tables and nothing else", where=file.name, hint=_HINT)
    rules = tuple(_rule(r, f"{file.name}: rule {n}", file) for n, r in enumerate(listed, 1))
    if len({rule.rule_id for rule in rules}) < len(rules):
        raise ConfigError("two rules have one id", where=file.name)
    return rules


def example_rules() -> dict[str, Path]:
    """Return the shipped examples by name; each states its legal status and when it was read."""
    return {file.stem: file for file in sorted(EXAMPLES.glob("*.toml"))}


def _rule(held: Mapping[str, Any], where: str, file: Path) -> OwnershipRule:
    missing, strange = sorted(_KEYS - set(held)), sorted(set(held) - _KEYS)
    if missing or strange:
        raise ConfigError(f"missing {missing}, unknown {strange}", where=where, hint=_HINT)
    status = held["legal_status"]
    if not isinstance(status, Mapping) or set(status) != {"text", "checked_on"}:
        raise ConfigError("legal_status: expected text and checked_on", where=where, hint=_HINT)
    seeds, places, version = _seeds(held["seeds"], where, file)
    return OwnershipRule(
        rule_id=_text(held["id"], "id", where),
        title=_text(held["title"], "title", where),
        method=_one_of(held["method"], _METHODS, "method", where),
        threshold=_threshold(held["threshold_percent"], where),
        operator=_one_of(held["operator"], _OPERATORS, "operator", where),
        interests=_interests(held["interests"], where),
        remainder=_one_of(held["remainder"], _REMAINDERS, "remainder", where),
        in_force=_spans(held["in_force"], where),
        legal_status=_text(status["text"], "legal_status.text", where),
        checked_on=_day(status["checked_on"], "legal_status.checked_on", where),
        seeds=seeds,
        jurisdictions=places,
        list_version=version,
    )


def _text(value: Any, key: str, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{key}: expected text", where=where, hint=_HINT)
    return value


def _one_of(value: Any, allowed: tuple[str, ...], key: str, where: str) -> str:
    if value not in allowed:
        raise ConfigError(f"{key}: expected one of {', '.join(allowed)}", where=where, hint=_HINT)
    return str(value)


def _threshold(value: Any, where: str) -> int:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal(-1)
    if isinstance(value, bool) or not number.is_finite() or not 0 < number <= 100:
        raise ConfigError("threshold_percent: expected over 0, at most 100", where=where)
    return parts_of(number, up=True)


def _interests(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        raise ConfigError("interests: expected a list of BODS interest types", where=where)
    return tuple(sorted(set(value)))


def _day(value: Any, key: str, where: str) -> date:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ConfigError(f"{key}: expected a date such as 2026-01-31", where=where, hint=_HINT)
    return value


def _spans(value: Any, where: str) -> tuple[tuple[date, date | None], ...]:
    if not isinstance(value, list) or not value:
        raise ConfigError("in_force: expected a list of {from, until}", where=where, hint=_HINT)
    spans = []
    for span in value:
        if not isinstance(span, Mapping) or not {"from"} <= set(span) <= {"from", "until"}:
            raise ConfigError("in_force: expected {from, until}", where=where, hint=_HINT)
        begin = _day(span["from"], "in_force.from", where)
        end = _day(span["until"], "in_force.until", where) if "until" in span else None
        if end is not None and end <= begin:
            raise ConfigError("in_force: until is not after from", where=where)
        spans.append((begin, end))
    return tuple(spans)


def _seeds(value: Any, where: str, file: Path) -> tuple[frozenset[str], frozenset[str], str]:
    known = {"version", "entities", "jurisdictions", "file"}
    if not isinstance(value, Mapping) or "version" not in value or set(value) - known:
        raise ConfigError(
            f"seeds: expected version and some of {', '.join(sorted(known - {'version'}))}",
            where=where, hint=_HINT,
        )  # fmt: skip
    entities = set(_strings(value.get("entities", []), "seeds.entities", where))
    if "file" in value:
        listed = file.parent / _text(value["file"], "seeds.file", where)
        try:
            lines = listed.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"the seed list cannot be read ({why(error)})", where=str(listed)
            ) from error
        entities |= {s for line in lines if (s := line.split("#", 1)[0].strip())}
    places = {p.upper() for p in _strings(value.get("jurisdictions", []), "jurisdictions", where)}
    return frozenset(entities), frozenset(places), _text(value["version"], "seeds.version", where)


def _strings(value: Any, key: str, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(v, str) and v.strip() for v in value):
        raise ConfigError(f"{key}: expected a list of texts", where=where, hint=_HINT)
    return [v.strip() for v in value]
