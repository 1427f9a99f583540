"""Alerts as e-mail: what is due together goes as one letter."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage

from stillwatch.schema.mailing import Relay, check_address
from stillwatch.service.alerts import Alert
from stillwatch.service.hours import Hours

__all__ = ["Mail"]


@dataclass(frozen=True)
class Mail:
    """A mail server and who gets the letters."""

    name: str
    relay: Relay
    to: tuple[str, ...]
    kinds: frozenset[str]
    hours: Hours
    together: bool = True

    def __post_init__(self) -> None:
        for address in self.to:
            check_address(address, where=f"{self.name}.to")

    def letter(self, alerts: Sequence[Alert], *, now: datetime) -> EmailMessage:
        """Return the letter; the same alerts have the same Message-ID."""
        said = alerts[0].title if len(alerts) == 1 else f"{len(alerts)} alerts"
        ids = ",".join(sorted(alert.id for alert in alerts))
        text = "\n\n".join("\n".join(alert.lines()) for alert in alerts) + "\n"
        mark = hashlib.sha256(ids.encode()).hexdigest()[:32]
        return self.relay.letter(self.to, f"[stillwatch] {said}", text, mark=mark, now=now)

    def send(self, alerts: Sequence[Alert], *, now: datetime) -> None:
        """Send one letter to all. Raises Unsent; for good where the server refuses it with 5xx."""
        self.relay.post(self.letter(alerts, now=now), len(self.to))
