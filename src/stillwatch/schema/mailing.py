"""A mail server as a settings file describes it, and how a letter is handed to it.

Apart from `schema`: only who sends letters loads it.
"""

from __future__ import annotations

import os
import smtplib
import ssl
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stillwatch.errors import ConfigError, InputError, why

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "RELAY_MORE", "RELAY_NEEDED", "Relay", "Unsent", "check_address", "check_keys", "read_private",
    "read_relay",
]  # fmt: skip

RELAY_NEEDED: Final = frozenset({"host", "from"})
RELAY_MORE: Final = frozenset({"port", "security", "user", "password_file"})
_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
_TYPES: Final[dict[str, type]] = {"port": int, "to": list, "kinds": list}  # all others are texts
_TIMEOUT_S: Final = 30.0
_PERMANENT: Final = 500
_LAST_PORT: Final = 65_535


class Unsent(Exception):
    """A receiver did not take it. ``final``: it never will, so it is not tried again."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.final = final


@dataclass(frozen=True)
class Relay:
    """One mail server and the sender's address. ``security`` none is for one on loopback."""

    host: str
    port: int
    sender: str
    security: str = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)

    def letter(self, to: tuple[str, ...], subject: str, text: str, *, mark: str,
               now: datetime) -> EmailMessage:  # fmt: skip
        """Return a letter whose Message-ID is made of ``mark``.

        What looks like an encoded word (RFC 2047) in the subject is a name's own letters:
        ``email`` would decode it, a line feed in it too, and what follows would be a header.
        """
        made = EmailMessage()
        made["Subject"] = subject.replace("=?", "= ?")
        made["From"] = self.sender
        made["To"] = ", ".join(to)
        made["Date"] = format_datetime(now)
        made["Message-ID"] = f"<{mark}@{self.sender.rpartition('@')[2]}>"
        made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answering machine answers
        made.set_content(text)
        return made

    def post(self, letter: EmailMessage, receivers: int = 1) -> None:
        """Hand a letter over. Raises Unsent; for good where the server refuses it with 5xx."""
        try:
            with self._connected() as server:
                refused = server.send_message(letter)
        except smtplib.SMTPResponseException as error:
            final = error.smtp_code >= _PERMANENT and not isinstance(
                error, smtplib.SMTPAuthenticationError | smtplib.SMTPConnectError
            )
            raise Unsent(f"the server says {error.smtp_code}", final=final) from error
        except (OSError, UnicodeError, smtplib.SMTPException) as error:
            raise Unsent(f"not taken ({type(error).__name__})") from error
        if refused:
            raise Unsent(f"{len(refused)} of {receivers} receivers refused", final=True)

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


def read_relay(table: dict[str, Any], *, name: str, where: str, base: Path) -> Relay:
    """Return the mail server of a table whose keys were checked; ``base``: its file's folder.

    Raises ConfigError: what is wrong, named after ``name``. InputError: the password's file.
    """
    security = table.get("security", "starttls")
    if security not in _PORTS:
        raise ConfigError(f"one of {', '.join(_PORTS)}", where=f"{name}.security")
    password = ""
    if "password_file" in table:
        password = read_private(base, table["password_file"], where=where)
    user = table.get("user", "")
    if user and security == "none":
        raise ConfigError("a password does not go unencrypted", where=f"{name}.security",
                          hint="starttls or tls")  # fmt: skip
    check_address(table["from"], where=f"{name}.from")
    port = table.get("port", _PORTS[security])
    if not 0 < port <= _LAST_PORT:
        raise ConfigError(f"expected 1 to {_LAST_PORT:,}", where=f"{name}.port")
    return Relay(table["host"], port, table["from"], security, user, password)


def check_address(text: str, *, where: str) -> None:
    """Raise ConfigError unless a text is one address: ``somebody@host.example``.

    >>> check_address("ada@provider.example", where="email")
    """
    try:
        found = Address(addr_spec=text)
    except (ValueError, IndexError, MessageError) as error:
        raise ConfigError("not an address", where=where) from error
    if not found.username or not found.domain or found.addr_spec != text:
        raise ConfigError("not an address", where=where)


def check_keys(
    table: dict[str, Any], needed: frozenset[str], more: frozenset[str], *, where: str, hint: str
) -> None:
    """Raise ConfigError: a key is lacking, unknown, or of the wrong type."""
    if lacking := needed - set(table):
        raise ConfigError(f"lacks {sorted(lacking)[0]}", where=where, hint=hint)
    if strange := set(table) - needed - more:
        raise ConfigError(f"unknown: {sorted(strange)[0]}", where=where, hint=hint)
    for name, value in table.items():
        wanted = _TYPES.get(name, str)
        whole = isinstance(value, wanted) and not isinstance(value, bool)
        if not whole or (wanted is list and not all(isinstance(v, str) for v in value)):
            raise ConfigError(f"{name} has the wrong type", where=where, hint=hint)


def read_private(base: Path, name: str, *, where: str) -> str:
    """Return the secret that a file holds. Raises ConfigError: others may read it. InputError."""
    path = base / name
    try:
        if os.stat(path).st_mode & 0o077:
            raise ConfigError("others may read the secret", where=where, hint=f"chmod 600 {name}")
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({why(error)})", where=str(path)) from error
