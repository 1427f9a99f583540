"""How a collector is run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stillwatch.errors import ConfigError

__all__ = ["Settings"]

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Settings:
    """Sizes in bytes, times in seconds.

    ``tokens``: callers must show one of them. ``segment_bytes``, ``segment_s``: what is received
    becomes a segment when it is so large or so old. ``join_s``: how long a span waits for the event
    that tells its content. ``max_body``: of a request as sent; ``max_inflated``: after gzip.
    ``max_records``: in one request. ``pending_bytes``: of requests that are read and not yet on the
    disk. ``backlog_bytes``: on the disk and not yet in segments. ``body_s``: patience with a slow
    client.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 4318
    tokens: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    client_ca: Path | None = None
    segment_bytes: int = 64 << 20
    segment_s: float = 60.0
    join_s: float = 15.0
    max_body: int = 20 << 20
    max_inflated: int = 64 << 20
    max_records: int = 50_000
    pending_bytes: int = 256 << 20
    backlog_bytes: int = 4 << 30
    body_s: float = 30.0

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None) or (
            self.client_ca and not self.tls_cert
        ):
            raise ConfigError(
                "a certificate and its key go together", where="--tls-cert, --tls-key"
            )
        if self.host not in _LOOPBACK and not self.tokens and self.client_ca is None:
            raise ConfigError(
                "whoever reaches this address could write into the log",
                where="--host",
                hint="give --token-file or --client-ca, or listen on 127.0.0.1",
            )
        if self.max_inflated > self.pending_bytes:
            raise ConfigError(
                "is larger than what may be pending", where="--max-inflated-mb",
                hint="raise --pending-mb or lower it",
            )  # fmt: skip
