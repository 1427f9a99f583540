"""Alerts as syslog messages of RFC 5424, over UDP (RFC 5426), TCP (RFC 6587) or a local socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from stillwatch.errors import ConfigError
from stillwatch.service.alerts import Alert
from stillwatch.service.hours import Hours
from stillwatch.service.outbox import Unsent

__all__ = ["Syslog", "formatted"]

_FACILITY: Final = 13  # log audit, RFC 5424 table 1
_SEVERITY: Final = {
    "case.new": 4,
    "case.changed": 5,
    "look.blunt": 4,
    "look.drift": 4,
    "look.failed": 3,
}
_ENTERPRISE: Final = 32473  # for documentation, RFC 5612; an SD-ID needs a number
_SHOWN: Final = ("case_id", "campaign_id", "change", "accounts", "accused", "look")
_TIMEOUT_S: Final = 10.0
_PORT: Final = 514
_SCHEMES: Final = ("udp", "tcp", "unix")


def formatted(alert: Alert, *, host: str, process: int) -> bytes:
    """Return one message: header, structured data, and the title behind a byte order mark (6.4)."""
    priority = _FACILITY * 8 + _SEVERITY.get(alert.kind, 5)  # 6.2.1
    stamp = alert.at.isoformat(timespec="microseconds").replace("+00:00", "Z")  # 6.2.3
    fields = {"id": alert.id, **{k: alert.data.get(k) for k in _SHOWN}}
    told = "".join(f' {k}="{_escaped(v)}"' for k, v in fields.items() if v is not None)
    head = f"<{priority}>1 {stamp} {_name(host, 255)} stillwatch {process} {alert.kind} "
    return (
        head.encode("ascii") + f"[alert@{_ENTERPRISE}{told}] ".encode()
        + b"\xef\xbb\xbf" + alert.title.encode()
    )  # fmt: skip


def _escaped(value: Any) -> str:
    text = str(value)
    for mark in ("\\", '"', "]"):  # 6.3.3
        text = text.replace(mark, f"\\{mark}")
    return text


def _name(text: str, most: int) -> str:
    kept = "".join(c for c in text if "!" <= c <= "~")[:most]  # PRINTUSASCII
    return kept or "-"


@dataclass(frozen=True)
class Syslog:
    """One collector: ``udp://host:port``, ``tcp://host:port`` or ``unix:///dev/log``."""

    name: str
    address: str
    kinds: frozenset[str]
    hours: Hours
    together: bool = False

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        if parts.scheme not in _SCHEMES or not (parts.hostname or parts.path):
            raise ConfigError(
                "expected udp://host:port, tcp://host:port or unix:///dev/log",
                where=f"{self.name}.address",
            )

    def send(self, alerts: Sequence[Alert], *, now: datetime) -> None:
        """Send each alert as one message. Over UDP nobody says whether it came. Raises Unsent."""
        del now
        parts = urlsplit(self.address)
        deliver: Callable[[Any, bytes], None] = _framed if parts.scheme == "tcp" else _whole
        try:
            with self._connected() as open_socket:
                for alert in alerts:
                    deliver(
                        open_socket,
                        formatted(alert, host=socket.gethostname(), process=os.getpid()),
                    )
        except OSError as error:
            raise Unsent(f"not taken ({error.strerror or type(error).__name__})") from error

    def _connected(self) -> socket.socket:
        parts = urlsplit(self.address)
        if parts.scheme == "tcp":
            return socket.create_connection((parts.hostname, parts.port or _PORT), _TIMEOUT_S)
        if parts.scheme == "unix":
            made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            target: Any = parts.path
        else:
            family, _, _, _, target = socket.getaddrinfo(
                parts.hostname, parts.port or _PORT, type=socket.SOCK_DGRAM
            )[0]
            made = socket.socket(family, socket.SOCK_DGRAM)
        try:
            made.settimeout(_TIMEOUT_S)
            made.connect(target)
        except OSError:
            made.close()
            raise
        return made


def _framed(open_socket: socket.socket, message: bytes) -> None:
    open_socket.sendall(f"{len(message)} ".encode() + message)  # RFC 6587 3.4.1: octet counting


def _whole(open_socket: socket.socket, message: bytes) -> None:
    open_socket.send(message)
