"""Alerts as e-mail: what is due together goes as one letter."""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from stillwatch.errors import ConfigError
from stillwatch.service.alerts import Alert
from stillwatch.service.hours import Hours
from stillwatch.service.outbox import Unsent

__all__ = ["SECURITY", "Mail"]

SECURITY: Final = ("starttls", "tls", "none")
_TIMEOUT_S: Final = 30.0
_PERMANENT: Final = 500


@dataclass(frozen=True)
class Mail:
    """One mail server and who gets the letters. ``security`` none is for a relay on loopback."""

    name: str
    host: str
    port: int
    sender: str
    to: tuple[str, ...]
    kinds: frozenset[str]
    hours: Hours
    security: str = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    together: bool = True

    def __post_init__(self) -> None:
        if self.security not in SECURITY:
            raise ConfigError(f"one of {', '.join(SECURITY)}", where=f"{self.name}.security")
        for address in (self.sender, *self.to):
            try:
                Address(addr_spec=address)
            except (ValueError, IndexError) as error:
                raise ConfigError("not an address", where=f"{self.name}.from or .to") from error
        if self.user and self.security == "none":
            raise ConfigError(
                "a password does not go unencrypted", where=f"{self.name}.security",
                hint="starttls or tls",
            )  # fmt: skip

    def letter(self, alerts: Sequence[Alert], *, now: datetime) -> EmailMessage:
        """Return the letter; the same alerts have the same Message-ID."""
        letter = EmailMessage()
        first = alerts[0].title
        letter["Subject"] = (
            f"[stillwatch] {first}" if len(alerts) == 1 else f"[stillwatch] {len(alerts)} alerts"
        )
        letter["From"] = self.sender
        letter["To"] = ", ".join(self.to)
        letter["Date"] = format_datetime(now)
        ids = ",".join(sorted(alert.id for alert in alerts))
        mark = hashlib.sha256(ids.encode()).hexdigest()[:32]
        letter["Message-ID"] = f"<{mark}@{self.sender.rpartition('@')[2]}>"
        letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answering machine answers
        letter.set_content("\n\n".join("\n".join(alert.lines()) for alert in alerts) + "\n")
        return letter

    def send(self, alerts: Sequence[Alert], *, now: datetime) -> None:
        """Send one letter to all. Raises Unsent; for good where the server refuses it with 5xx."""
        letter = self.letter(alerts, now=now)
        try:
            with self._connected() as server:
                refused = server.send_message(letter)
        except smtplib.SMTPResponseException as error:
            final = error.smtp_code >= _PERMANENT and not isinstance(
                error, smtplib.SMTPAuthenticationError | smtplib.SMTPConnectError
            )
            raise Unsent(f"the server says {error.smtp_code}", final=final) from error
        except (OSError, smtplib.SMTPException) as error:
            raise Unsent(f"not taken ({type(error).__name__})") from error
        if refused:
            raise Unsent(f"{len(refused)} of {len(self.to)} receivers refused", final=True)

    def _connected(self) -> smtplib.SMTP:
        trusted = ssl.create_default_context()
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, timeout=_TIMEOUT_S, context=trusted
            )
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=_TIMEOUT_S)
        try:
            if self.security == "starttls":
                server.starttls(context=trusted)
            if self.user:
                server.login(self.user, self.password)
        except BaseException:
            server.close()
            raise
        return server
