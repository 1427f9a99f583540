"""What `guard preview` joins: the requests of a run, played through a guard that would enforce."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from stillwatch.cases import (
    BAND_COLUMNS,
    FRAME_COLUMNS,
    LINK_COLUMNS,
    compile_snapshot,
    logged_rows,
    matchable,
)
from stillwatch.enrich import read_permits
from stillwatch.guard import NEAR_TOKENS, NO_BANDS, REFUSES, Guard, Request
from stillwatch.policy import Ladder, permits_from_rows
from stillwatch.schema import Judgement, from_micros, to_micros
from stillwatch.store import Run

__all__ = ["Rehearsal", "Touched", "rehearse", "request_of_row"]

_SALT: Final = b"rehearsal"


@dataclass(frozen=True)
class Touched:
    """Accounts and organizations, and of their requests those that were touched."""

    accounts: int
    organizations: int
    exchanges: int
    output_tokens: int
    revenue_usd: float


@dataclass(frozen=True)
class Rehearsal:
    """What a guard would have done about one campaign in the last days, enforcing.

    ``accused``: requests of the accused that waited, were refused or were answered in summary, of
    ``accused_exchanges``. ``throttled`` and ``watched``: accounts that are not accused, the first
    made to wait since evidence of their own joined them (``throttled_accounts`` names them), the
    second let through.
    ``permitted_exchanges``: requests that a permit let pass.
    """

    accused: Touched
    accused_exchanges: int
    throttled: Touched
    watched: Touched
    permitted_exchanges: int
    throttled_accounts: tuple[str, ...]


def rehearse(
    run: Run, campaign_id: str, *, days: int, ladder: Ladder, permits: Path | None = None,
    judged: Judgement | None = None, everybody: bool = False,
) -> Rehearsal:  # fmt: skip
    """Play the last days of a run through a guard that knows what the scan knows at its end.

    The campaign's verdict is the ladder's: a stricter one that a person orders falls on the same
    accused. Only accounts that carry something of the campaign's are played, since the guard allows
    all others whatever they do; ``everybody`` plays those too (tests).

    Raises as `compile_snapshot`: the run accuses no such campaign, or a person let it go.
    """
    newest = run.query("SELECT epoch_us(max(ts)) AS us FROM exchanges")["us"][0].as_py() or 0
    snapshot = compile_snapshot(
        run, now=from_micros(newest), salt=_SALT, version=1, valid=timedelta(days=36_500),
        ladder=replace(ladder, mode="enforce", canary_percent=100.0), only=[campaign_id],
        permits=permits_from_rows(read_permits(permits).to_pylist()) if permits else (),
        judged=judged,
    ).snapshot  # fmt: skip
    # Who owns an account is another question, and touches it whatever is done about campaigns.
    snapshot = replace(snapshot, access={}, grounds=(), cited={}, eased={})
    since_us = newest - days * 86_400_000_000
    sids = None if everybody else matchable(run, snapshot)
    return _played(Guard(snapshot), logged_rows(run, sids=sids, since_us=since_us))


def request_of_row(row: Mapping[str, Any]) -> Request:
    """Return the request that a row of `logged_rows` was."""
    created = row["created_at"]
    return Request(
        to_micros(row["ts"]), row["account_id"], row["end_user_id"], row["org_id"],
        row["model"], row["plan"], tuple(row[c] for c in FRAME_COLUMNS),
        tuple(row[c] for c in BAND_COLUMNS) if row["user_tokens"] >= NEAR_TOKENS else NO_BANDS,
        row["h_prefix"], row["h_client"], row["h_payload"], row["user_tokens"],
        row["prefix_before_last_user"], row["h_blob"],
        {kind: row[c] for kind, c in LINK_COLUMNS.items() if row[c]},
        to_micros(created) if created else 0,
    )  # fmt: skip


class _Sum:
    def __init__(self) -> None:
        self.accounts: set[str] = set()
        self._organizations: set[str] = set()
        self.exchanges = self._tokens = self._micro_usd = 0

    def add(self, row: Mapping[str, Any]) -> None:
        self.accounts.add(row["account_id"])
        self._organizations.add(row["org"])
        self.exchanges += 1
        self._tokens += row["output_tokens"]
        self._micro_usd += row["micro_usd"]

    def touched(self) -> Touched:
        return Touched(
            len(self.accounts), len(self._organizations), self.exchanges, self._tokens,
            round(self._micro_usd / 1e6, 2),
        )  # fmt: skip


def _played(guard: Guard, rows: Iterable[Mapping[str, Any]]) -> Rehearsal:
    accused, throttled, watched = _Sum(), _Sum(), _Sum()
    every = permitted = 0
    for row in rows:
        request = request_of_row(row)
        decision = guard.decide(request)
        held = decision.verdict not in ("allow", "watch")
        mine = decision.level == "member"
        every += mine
        if decision.verdict == "allow" and decision.level:
            permitted += 1
        elif held:
            (accused if mine else throttled).add(row)
        elif decision.verdict == "watch" and not mine:
            watched.add(row)
        if decision.verdict not in REFUSES:  # summarize is answered too
            guard.observe(
                request, status=row["status"], output_tokens=row["output_tokens"],
                prefix_full=row["prefix_full"], h_blob=row["h_blob"],
            )  # fmt: skip
    return Rehearsal(
        accused.touched(), every, throttled.touched(), watched.touched(), permitted,
        tuple(sorted(throttled.accounts)),
    )  # fmt: skip
