"""Alerts as HTTP requests, signed as Standard Webhooks says.

*Source*: github.com/standard-webhooks/standard-webhooks, spec v1: headers ``webhook-id``,
``webhook-timestamp`` and ``webhook-signature`` (``v1,`` and the base64 of the HMAC-SHA256 over
``id.timestamp.body``), secrets written ``whsec_`` and base64.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from stillwatch.errors import ConfigError
from stillwatch.service.alerts import Alert
from stillwatch.service.hours import Hours
from stillwatch.service.outbox import Unsent

try:
    import httpx
except ImportError as error:  # pragma: no cover
    raise ConfigError(
        "webhooks need the package httpx", hint="pip install 'stillwatch[watch]'"
    ) from error

__all__ = ["Webhook", "read_secret"]

_PREFIX: Final = "whsec_"
_LEAST_BYTES, _MOST_BYTES = 24, 64  # of a secret, by the standard
_TIMEOUT_S: Final = 15.0
_GONE: Final = 410
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def read_secret(text: str, *, where: str) -> bytes:
    """Return the key of a secret as the standard writes it. Raises ConfigError."""
    try:
        key = base64.b64decode(text.strip().removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise ConfigError(
            "no secret", where=where,
            hint="write whsec_ and the base64 of 24 to 64 random bytes: openssl rand -base64 32",
        )  # fmt: skip
    return key


@dataclass(frozen=True)
class Webhook:
    """One receiver. Redirects are not followed: where alerts go is written in the settings."""

    name: str
    url: str
    key: bytes = field(repr=False)
    kinds: frozenset[str]
    hours: Hours
    together: bool = False

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
        if not parts.hostname or not (parts.scheme == "https" or plain):
            raise ConfigError(
                "expected an https address (http on loopback only)", where=f"{self.name}.url"
            )

    def send(self, alerts: Sequence[Alert], *, now: datetime) -> None:
        """Post each alert. The same alert has the same ``webhook-id``, however often it comes.

        Raises Unsent: no answer, or one that is not 2xx; for good where the receiver says 410.
        """
        for alert in alerts:
            body, stamp = alert.body(), str(int(now.timestamp()))
            try:
                answer = httpx.post(
                    self.url, content=body, follow_redirects=False, timeout=_TIMEOUT_S,
                    headers={
                        "content-type": "application/json", "webhook-id": alert.id,
                        "webhook-timestamp": stamp,
                        "webhook-signature": signature(self.key, alert.id, stamp, body),
                    },
                )  # fmt: skip
            except httpx.HTTPError as error:
                raise Unsent(f"no answer ({type(error).__name__})") from error
            if not answer.is_success:
                raise Unsent(f"answer {answer.status_code}", final=answer.status_code == _GONE)


def signature(key: bytes, message_id: str, stamp: str, body: bytes) -> str:
    """Return the header's value: version 1, and the HMAC-SHA256 over id, time and body."""
    signed = hmac.new(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"
