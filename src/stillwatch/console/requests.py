"""Single requests of a case or of one account in it: what the run kept of each, never a text."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response

from stillwatch.console.case import missing
from stillwatch.console.desk import Desk, Visit
from stillwatch.console.paper import refuse, show
from stillwatch.schema import parse_time
from stillwatch.store.index import Asked, Requests

__all__ = ["days_told", "show_requests"]

_PER_PAGE: Final = 25
_KEYS: Final = ("model", "status", "method", "template", "payload", "since", "until", "of")


def show_requests(desk: Desk, visit: Visit) -> Response:
    """Show requests, the newest first, by the filters of the query; ``of`` names one account."""
    line = desk.line(visit.path["case"])
    if line is None:
        return missing(desk, visit)
    ref = visit.query.get("of", "")
    account = desk.index.account_of(ref) if ref else None
    if ref and account is None:
        return refuse(desk, visit, 404, "No such account in this run",
                      "No account has that reference.", "Open it from its case.")  # fmt: skip
    held = desk.index.requests
    page = visit.number("page", 1, 1, 1_000_000)
    first = (page - 1) * _PER_PAGE
    rows: list[dict[str, Any]] = []
    total, choices = 0, {}
    if held is not None:
        rows, total = held.page(line.campaign_id, _asked(visit), account_id=account, first=first,
                                most=_PER_PAGE)  # fmt: skip
        choices = desk.once(
            ("choices", line.campaign_id, ref),
            lambda: held.choices(line.campaign_id, account),
        )
    kept = {k: v for k in _KEYS if (v := visit.query.get(k, ""))}
    return show(
        desk, visit, "requests-list.html.jinja" if visit.partial else "requests.html.jinja",
        line=line, rows=rows, total=total, page=page, pages=max(1, -(-total // _PER_PAGE)),
        first=first, held=held is not None, of=ref, account=account, choices=choices, asked=kept,
        query=urlencode(kept), ref=desk.index.ref,
        with_payload=lambda code: urlencode({**kept, "payload": code}),
    )  # fmt: skip


def _asked(visit: Visit) -> Asked:
    given = visit.query
    template = given.get("template", "")
    return Asked(
        given.get("model", ""), given.get("status", ""),
        given.get("method", ""),
        int(template) if template.isdecimal() and len(template) < 4 else None,
        given.get("payload", "")[:16], _moment(given.get("since", "")),
        _moment(given.get("until", "")),
    )  # fmt: skip


def _moment(text: str) -> datetime | None:
    """Return a time of the form, UTC; None where there is none. Raises ConfigError: no time."""
    return parse_time(text, where="from, to") if text.strip() else None


def days_told(held: Requests, campaign_id: str, account_id: str, last: str) -> dict[str, Any]:
    """Return an account's last day of the run beside the mean of its days before.

    ``last``: the run's last exchange, ISO. Days without a request count as zero, from the account's
    first request on. Empty where it sent nothing in this campaign.
    """
    days = held.days(campaign_id, account_id)
    if not days:
        return {}
    today = parse_time(last).date()
    now = next((d for d in days if d["day"] == today), {"requests": 0, "output_tokens": 0})
    before = [d for d in days if d["day"] < today]
    span = (today - before[0]["day"]).days if before else 0
    return {
        "day": today, "requests": now["requests"], "output_tokens": now["output_tokens"],
        "span": span,
        "usual_requests": sum(d["requests"] for d in before) / span if span else None,
        "usual_tokens": sum(d["output_tokens"] for d in before) / span if span else None,
    }  # fmt: skip
