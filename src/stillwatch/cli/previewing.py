"""What `guard preview` says: whom a verdict would fall on, and whom a guard would touch beside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final

from stillwatch.cases import Preview, RungPreview, read_judgement
from stillwatch.cases import preview as previewed
from stillwatch.cli.rehearsal import Rehearsal, rehearse
from stillwatch.cli.terminal import number_of
from stillwatch.policy import Ladder, read_ladder
from stillwatch.store import open_run

__all__ = ["preview_text"]

_MOST_NAMED: Final = 10


def preview_text(
    run: Path, campaign: str, days: int, *, ladder: Path | None, permits: Path | None,
    effects: Path | None, as_json: bool,
) -> Iterator[str]:  # fmt: skip
    """Yield the lines of a preview."""
    held = read_ladder(ladder) if ladder else Ladder()
    opened = open_run(run)
    found = previewed(opened, campaign, days=days, ladder=held)
    played = None
    if found.budget is not None:
        judged = read_judgement(effects) if effects else None
        played = rehearse(
            opened, campaign, days=days, ladder=held, permits=permits, judged=judged
        )  # fmt: skip
    if as_json:
        yield json.dumps({**asdict(found), "rehearsal": asdict(played) if played else None})
        return
    yield from _whom(found)
    yield from map(partial(_rung_line, found), found.rungs)
    if played is not None:
        yield from _played_lines(played, permits is not None)


def _whom(found: Preview) -> Iterator[str]:
    whom = _accounts(found.acted_accounts, found.acted_end_users, found.acted_organizations)
    sent = (
        f"{number_of(found.exchanges, 'request')}, "
        f"{number_of(found.output_tokens, 'output token')}, ${found.revenue_usd:,.2f}"
    )
    if found.budget is None:
        yield (
            f"{found.campaign_id} ({found.standing}): not accused, so that no guard acts on it. "
            f"What a verdict would fall on: {whom}; in the last "
            f"{number_of(found.days, 'day')} {sent}."
        )
    else:
        yield (
            f"{found.campaign_id} ({found.standing}): {whom} accused; in the last "
            f"{number_of(found.days, 'day')} {sent}. Recommended: {found.recommended}."
        )
    beside = _accounts(
        found.periphery_accounts, found.periphery_end_users, found.periphery_organizations
    )
    yield (
        f"Beside them, members that are not accused: {beside} with {found.periphery_exchanges:,} "
        "requests in these days. Were a verdict to fall on the whole campaign:"
    )


def _accounts(accounts: int, end_users: int, organizations: int) -> str:
    users = f" ({number_of(end_users, 'end user')} of channels)" if end_users else ""
    return f"{number_of(accounts, 'account')}{users} of {number_of(organizations, 'organization')}"


def _rung_line(found: Preview, rung: RungPreview) -> str:
    text = rung.text
    if rung.verdict == "throttle" and found.budget is not None:
        hours, keeps = found.budget_window_s / 3600, found.budget
        text = (
            f"the accused together keep {keeps:,} request{'s' * (keeps != 1)} in {hours:g} "
            f"hours and the rest wait (beside them, counted: {text})"
        )
    held = rung.permitted_exchanges
    allowed = f" ({held:,} requests are of accounts with a permit)" if held else ""
    return (
        f"{rung.verdict}: {text}; beside the accused it touches "
        f"{number_of(rung.accounts, 'account')} ({number_of(rung.end_users, 'end user')}, "
        f"{number_of(rung.organizations, 'organization')}), "
        f"{number_of(rung.exchanges, 'request')}, {number_of(rung.output_tokens, 'output token')}, "
        f"${rung.revenue_usd:,.2f}{allowed}."
    )


def _named(accounts: tuple[str, ...]) -> str:
    if not accounts:
        return ""
    more = f" and {len(accounts) - _MOST_NAMED:,} more (--json)" * (len(accounts) > _MOST_NAMED)
    return f" ({', '.join(accounts[:_MOST_NAMED])}{more})"


def _played_lines(played: Rehearsal, with_permits: bool) -> Iterator[str]:
    stopped, others, watched = played.accused, played.throttled, played.watched
    share = 100 * stopped.exchanges / max(played.accused_exchanges, 1)
    yield (
        "A guard carries a verdict out on the accused alone. Played through one that enforces, "
        "with the verdicts of ladder and effects and what the scan knows now: of the accused "
        f"{stopped.exchanges:,} of {played.accused_exchanges:,} requests ({share:.0f} %) are not "
        "answered."
    )
    yield (
        f"Of all others it makes {_accounts(others.accounts, 0, others.organizations)} wait, since "
        f"evidence of their own joins them to it: {number_of(others.exchanges, 'request')}, "
        f"{number_of(others.output_tokens, 'output token')}, ${others.revenue_usd:,.2f}"
        f"{_named(played.throttled_accounts)}. "
        f"{_accounts(watched.accounts, 0, watched.organizations)}, which share an "
        "address, a template or a card with it, are watched and answered: "
        f"{number_of(watched.exchanges, 'request')}."
    )
    if with_permits:
        yield f"Permits let {played.permitted_exchanges:,} requests of the accused pass."
    else:
        yield "Without --permits none was looked at."
