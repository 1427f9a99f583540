"""Permits: who may distil what, until when, how much; judged on exchanges, not on names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Permit", "PermitUse", "judge_permits", "permits_from_rows"]


@dataclass(frozen=True)
class Permit:
    """One agreement. Empty ``methods`` or ``models`` mean any; times are microseconds or None."""

    permit_id: str
    account_id: str | None
    org_id: str | None
    plan: str | None
    methods: tuple[str, ...]
    models: tuple[str, ...]
    max_output_tokens_per_day: int | None
    valid_from_us: int | None
    valid_until_us: int | None

    def names(self, account_id: str, org_id: str | None, plan: str | None) -> bool:
        """Return whether the permit speaks of this account; ``*`` stands for every organization."""
        if self.plan and self.plan != plan:
            return False
        if self.account_id:
            return self.account_id == account_id
        return self.org_id == "*" or (self.org_id is not None and self.org_id == org_id)

    def covers(self, ts_us: int, model: str, methods: Sequence[str]) -> bool:
        """Return whether an exchange at that time, on that model, for those methods is inside.

        ``methods`` are those that the campaign's traffic hints at. One allowed method is enough:
        hints are noisy, and a permitted customer must not be accused over a stray one.
        """
        if self.valid_from_us is not None and ts_us < self.valid_from_us:
            return False
        if self.valid_until_us is not None and ts_us >= self.valid_until_us:
            return False
        if self.models and "*" not in self.models and model not in self.models:
            return False
        allowed = not self.methods or "*" in self.methods
        return allowed or not methods or any(m in self.methods for m in methods)


@dataclass(frozen=True)
class PermitUse:
    """What one permit's holders did: exchanges inside its scope, and what exceeds it."""

    permit_id: str
    accounts: tuple[str, ...]
    inside: int
    outside: int
    over_limit_days: int

    @property
    def exceeded(self) -> bool:
        return self.outside > 0 or self.over_limit_days > 0


def permits_from_rows(rows: Iterable[Mapping[str, Any]]) -> tuple[Permit, ...]:
    """Return permits from records of `schema.arrow.PERMIT` whose times are aware datetimes."""
    return tuple(
        Permit(
            permit_id=row["permit_id"],
            account_id=row["account_id"] or None,
            org_id=row["org_id"] or None,
            plan=row["plan"] or None,
            methods=tuple(row["methods"] or ()),
            models=tuple(row["models"] or ()),
            max_output_tokens_per_day=row["max_output_tokens_per_day"],
            valid_from_us=_micros(row["valid_from"]),
            valid_until_us=_micros(row["valid_until"]),
        )
        for row in rows
    )


def _micros(moment: Any) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1_000_000)


def judge_permits(
    permits: Sequence[Permit],
    exchanges: Iterable[tuple[str, str | None, str | None, int, str, int]],
    methods: Sequence[str],
) -> tuple[frozenset[str], tuple[PermitUse, ...]]:
    """Return the accounts whose every exchange lies inside a permit, and each permit's use.

    ``exchanges``: (account_id, org_id, plan, ts_us, model, output_tokens) of the traffic in
    question. A day on which a permit's holders together exceed its output tokens is over its
    limit; its exchanges stay inside, the excess is reported.
    """
    day_us = 86_400_000_000
    inside: dict[str, int] = {}
    outside: dict[str, int] = {}
    holders: dict[str, set[str]] = {}
    tokens: dict[tuple[str, int], int] = {}
    uncovered: set[str] = set()
    seen: set[str] = set()
    naming: dict[tuple[str, str | None, str | None], list[Permit]] = {}
    for account, org, plan, ts_us, model, output in exchanges:
        seen.add(account)
        who = (account, org, plan)
        if who not in naming:
            naming[who] = [p for p in permits if p.names(*who)]
        mine = naming[who]
        if not mine:
            uncovered.add(account)
            continue
        best = next((p for p in mine if p.covers(ts_us, model, methods)), None)
        permit = best or mine[0]
        holders.setdefault(permit.permit_id, set()).add(account)
        bucket = outside if best is None else inside
        bucket[permit.permit_id] = bucket.get(permit.permit_id, 0) + 1
        if best is None:
            uncovered.add(account)
        key = (permit.permit_id, ts_us // day_us)
        tokens[key] = tokens.get(key, 0) + output
    limit = {p.permit_id: p.max_output_tokens_per_day for p in permits}
    uses = []
    for permit_id in sorted(holders):
        most = limit[permit_id]
        over = (
            0
            if most is None
            else sum(1 for (pid, _), n in tokens.items() if pid == permit_id and n > most)
        )
        uses.append(
            PermitUse(
                permit_id, tuple(sorted(holders[permit_id])),
                inside.get(permit_id, 0), outside.get(permit_id, 0), over,
            )
        )  # fmt: skip
    return frozenset(seen - uncovered), tuple(uses)
