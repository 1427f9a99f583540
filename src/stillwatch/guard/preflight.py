"""What is tried before a guard serves, so that what is wrong is said at once and in its own words.

Found out later each of these is a guard that nobody reaches, or one that answers and keeps no log.
"""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from stillwatch.errors import ConfigError, why
from stillwatch.guard.service import Serving

__all__ = ["Tls", "check"]

_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+\Z")  # a token, RFC 9110 section 5.6.2


class Tls(NamedTuple):
    """Certificate and key of the server; ``client_ca``: only callers that it has signed."""

    cert: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None

    def check(self) -> None:
        """Raises ConfigError: half of a certificate; one that cannot be read or does not fit."""
        if (self.cert is None) != (self.key is None):
            raise ConfigError(
                "a certificate and its key go together", where="--tls-cert, --tls-key"
            )
        if self.client_ca and not self.cert:
            raise ConfigError(
                "callers show a certificate by TLS alone", where="--client-ca",
                hint="give --tls-cert and --tls-key too",
            )  # fmt: skip
        if self.cert is None:
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.cert, self.key, password=bytes)  # none: nobody is asked
        except OSError as error:
            raise ConfigError(
                f"no certificate and key that belong together ({why(error)})",
                where="--tls-cert, --tls-key", hint="give both as PEM, the key without a password",
            ) from error  # fmt: skip
        try:
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
        except OSError as error:
            raise ConfigError(
                f"no certificate of an authority ({why(error)})", where="--client-ca",
                hint="give it as PEM",
            ) from error  # fmt: skip


def check(serving: Serving, traces: str | None) -> None:
    """Try what a guard writes to and listens for. Raises ConfigError."""
    for path, option in ((serving.decision_log, "--log"), (serving.ocsf_log, "--ocsf")):
        try:
            if path is not None:
                path.open("ab").close()
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be written ({why(error)})", where=option,
                hint="make its folder, or give another place",
            ) from error  # fmt: skip
    for name, option in (
        (serving.account_header, "--account-header"),
        (serving.end_user_header, "--end-user-header"),
        (serving.org_header, "--org-header"),
        (serving.plan_header, "--plan-header"),
        (serving.created_header, "--created-header"),
    ):
        if name and not _HEADER.match(name):
            raise ConfigError("no name of a header", where=option, hint="give it like x-account-id")
    if serving.metrics_token and not serving.tokens:
        raise ConfigError(
            "there is no token that /metrics could take", where="--metrics-token",
            hint="give --token-file too",
        )  # fmt: skip
    redis = serving.redis_url
    if redis is not None and _scheme(redis) not in ("redis", "rediss", "unix"):
        raise ConfigError("no address of a Redis", where="--redis", hint="give redis://host:6379/0")
    if traces is not None and _scheme(traces) not in ("http", "https"):
        raise ConfigError(
            "no address of a collector", where="--traces",
            hint="give it with its path: http://127.0.0.1:4318/v1/traces",
        )  # fmt: skip


def _scheme(url: str) -> str:
    """Return an address' scheme; none of one that cannot be read. What is wrong with it is not
    repeated: it may hold a password."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it is what tries it
    except ValueError:
        return ""
    return parts.scheme
