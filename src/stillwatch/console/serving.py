"""Runs the console under uvicorn: TLS 1.2 or later, or plain HTTP on loopback or behind a proxy."""

from __future__ import annotations

import contextlib
import gc
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn

from stillwatch.console.app import create_app
from stillwatch.console.desk import Desk
from stillwatch.console.overview import make_ready
from stillwatch.console.paper import read_templates
from stillwatch.errors import ConfigError
from stillwatch.schema import bound

__all__ = ["Listen", "hosts_of", "serve"]

# Forward secrecy and authenticated encryption alone: none of RFC 7540, appendix A.
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


@dataclass(frozen=True)
class Listen:
    """Where and how to listen. ``name``: what browsers call the host, where it is not loopback."""

    host: str = "127.0.0.1"
    port: int = 6300
    name: str | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    behind_proxy: bool = False

    @property
    def secure(self) -> bool:
        """Tell whether browsers come by TLS."""
        return self.certificate is not None or self.behind_proxy


def hosts_of(listen: Listen) -> frozenset[str]:
    """Return the names under which a browser may ask: another one is another's page (rebinding)."""
    named = {listen.name.lower()} if listen.name else set()
    return _LOOPBACK | named | {listen.host.lower()}


def serve(desk: Desk, listen: Listen) -> None:
    """Serve until the process is told to stop.

    Raises ConfigError: HTTP without TLS where others could listen; the address cannot be had.
    """
    if not listen.secure and not _is_loopback(listen.host):
        raise ConfigError(
            f"passwords would cross the network in clear text from {listen.host}", where="--host",
            hint="give --certificate and --private-key, or --behind-proxy where a proxy ends TLS",
        )  # fmt: skip
    options: dict[str, Any] = {}
    if listen.certificate is not None:
        options = {
            "ssl_certfile": str(listen.certificate), "ssl_ciphers": _CIPHERS,
            "ssl_keyfile": str(listen.private_key) if listen.private_key else None,
        }  # fmt: skip
    config = uvicorn.Config(
        create_app(desk), host=listen.host, port=listen.port, access_log=False,
        server_header=False, log_level="warning", proxy_headers=listen.behind_proxy,
        timeout_graceful_shutdown=5, **options,
    )  # fmt: skip
    config.load()
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    with contextlib.ExitStack() as held:
        _make_ready(desk)
        sockets = [held.enter_context(one) for one in bound(listen.host, listen.port)]
        uvicorn.Server(config).run(sockets=sockets)


def _make_ready(desk: Desk) -> None:
    """Make what first pages would wait for, and keep it out of garbage collection.

    What was read of the run stays until the end: a collection that looks through all of it holds a
    click up for a fifth of a second.
    """
    read_templates()
    make_ready(desk)
    gc.collect()
    gc.freeze()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
