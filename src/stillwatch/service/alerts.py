"""What an alert says: counts, times and the names that this program gave; never whose or what.

No text of a prompt and no identifier of an account, organization or person is in one: an alert
passes through mail servers, chats and logs that nobody cleared for them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from stillwatch.cases import Line
from stillwatch.schema import OWNERSHIP, from_micros
from stillwatch.service.journal import Look
from stillwatch.store import Run

__all__ = ["KINDS", "Alert", "case_alerts", "failed_alert", "look_alerts"]

KINDS: Final = ("case.new", "case.changed", "look.blunt", "look.drift", "look.failed")
_TOLD: Final = ("new", "split", "grew", "changed", "shrank")
_ID_CHARS: Final = 24


@dataclass(frozen=True)
class Alert:
    """``id``: the same for the same fact, so that a receiver can drop what comes twice."""

    id: str
    kind: str
    at: datetime
    title: str
    data: dict[str, Any]

    def body(self) -> bytes:
        """Return the alert as JSON: type, timestamp, data (Standard Webhooks)."""
        stamp = self.at.isoformat(timespec="seconds").replace("+00:00", "Z")
        held = {"type": self.kind, "timestamp": stamp, "data": {"title": self.title, **self.data}}
        return json.dumps(held, sort_keys=True).encode()

    def lines(self) -> list[str]:
        """Return the alert as lines of text for people."""
        said = [self.title]
        for name, value in self.data.items():
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            if shown not in (None, ""):
                said.append(f"  {name.replace('_', ' ')}: {shown}")
        return said


def _alert(kind: str, fact: Sequence[Any], at: datetime, title: str, data: dict[str, Any]) -> Alert:
    digest = hashlib.sha256(json.dumps([kind, *fact]).encode()).hexdigest()
    return Alert(f"alert_{digest[:_ID_CHARS]}", kind, at, title, data)


def _look(look: Look) -> dict[str, Any]:
    return {
        "look": look.number,
        "since": f"{look.since:%Y-%m-%dT%H:%MZ}",
        "until": f"{look.until:%Y-%m-%dT%H:%MZ}",
    }


def case_alerts(lines: Sequence[Line], run: Run, look: Look, *, console: str) -> list[Alert]:
    """Return an alert for every case that this look opened or changed.

    Refusals by ownership that were entered meanwhile are no look's and no campaign.

    ``lines``: the queue of cases after the look's run was brought in. ``console``: address of the
    console, or empty.
    """
    campaigns = {c["campaign_id"]: c for c in run.campaigns}
    scanned = from_micros(look.scanned_us)
    alerts = []
    for line in lines:
        if line.seen < scanned or line.change not in _TOLD or line.state != "open":
            continue
        if line.kind == OWNERSHIP:
            continue
        campaign = campaigns.get(line.campaign_id, {})
        new = line.change in ("new", "split")
        title = (
            f"{line.case_id}: a new campaign of {line.accused:,} accused accounts"
            if new else f"{line.case_id}: the campaign {line.change}, {line.accused:,} accused now"
        )  # fmt: skip
        data = {
            "case_id": line.case_id, "campaign_id": line.campaign_id, "change": line.change,
            "accounts": line.accounts, "accused": line.accused,
            "exchanges": campaign.get("exchanges"), "methods": campaign.get("methods"),
            "first_seen": campaign.get("first_seen"), "last_seen": campaign.get("last_seen"),
            "recommended": (campaign.get("recommended") or {}).get("verdict"),
            "url": f"{console.rstrip('/')}/cases/{line.case_id}" if console else None,
            **_look(look),
        }  # fmt: skip
        kind = "case.new" if new else "case.changed"
        alerts.append(_alert(kind, [look.number, line.case_id], scanned, title, data))
    return alerts


def look_alerts(run: Run, look: Look) -> list[Alert]:
    """Return alerts of why a look accused nobody: the traffic drifted, or its level is too low."""
    at, alerts = from_micros(look.scanned_us), []
    drift = run.summary.get("drift") or {}
    if drift.get("alarm"):
        title = f"look {look.number}: traffic drifted from the reference, so nothing is accused"
        data = {"text": drift.get("text"), **_look(look)}
        alerts.append(_alert("look.drift", [look.number], at, title, data))
    if look.blunt:
        title = f"look {look.number} could accuse nobody: its share of alpha is too small"
        data = {
            "text": f"it may spend {look.alpha_spent:.2g}; look less often (--every), or promise "
            "for a shorter time (--budget)",
            **_look(look),
        }
        alerts.append(_alert("look.blunt", [look.number], at, title, data))
    return alerts


def failed_alert(look: Look, why: str, at: datetime) -> Alert:
    """Return an alert of a look that could not be made. ``why`` names no text and nobody."""
    title = f"look {look.number} could not be made"
    return _alert(
        "look.failed", [look.number, look.until_us], at, title, {"why": why, **_look(look)}
    )
