"""Runs the hub under uvicorn: TLS 1.2 or later, or plain HTTP on loopback or behind a proxy."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette

from stillwatch.errors import ConfigError
from stillwatch.schema import demand_free
from stillwatch.share.antitrust import normal, refusals
from stillwatch.share.catalogue import CATALOGUE
from stillwatch.share.hub.app import create_app, create_witness
from stillwatch.share.hub.database import Database
from stillwatch.share.hub.schema import demand_current
from stillwatch.share.hub.settings import read_key, read_settings, read_signer
from stillwatch.share.hub.structure import Rules
from stillwatch.share.words import EXT

__all__ = ["Listen", "build", "serve"]


def _by_antitrust(stix: Mapping[str, Any]) -> Sequence[str]:
    extensions = stix.get("extensions")
    if isinstance(extensions, Mapping) and EXT["aggregate"] in extensions:
        # nobody by TAXII: nothing would hold them against what was published (`figures`)
        return ("aggregate-lane: the operator publishes figures, by `hub figures` alone.",)
    # every id is known: what refers to something that is not here is refused where that is seen
    return refusals(stix, now=datetime.now(UTC), known=lambda _: True)


# Neither the order of keys nor an id that names nothing carries a message past the antitrust rules.
RULES: Final[Mapping[str, Rules]] = {
    "antitrust": Rules(_by_antitrust, normal, CATALOGUE),
    "structure": Rules(),
}
_HOME: Final = "STILLWATCH_HUB_HOME"
# Forward secrecy and authenticated encryption alone: none of RFC 7540, appendix A.
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"


@dataclass(frozen=True)
class Listen:
    """Where and how to listen. ``client_ca``: only clients with a certificate of it get through."""

    host: str = "127.0.0.1"
    port: int = 6100
    certificate: Path | None = None
    private_key: Path | None = None
    client_ca: Path | None = None
    behind_proxy: bool = False
    workers: int = 1


def build(home: Path) -> Starlette:
    """Return the application of the hub or witness in a folder."""
    settings = read_settings(home)
    if settings.role == "witness":
        return create_witness(settings, read_key(home), read_signer(home, settings.role))
    return create_app(settings, read_key(home), rules=RULES[settings.rules])


def build_from_environment() -> Starlette:
    """Return the application in a worker process, which gets the folder by its environment."""
    return build(Path(os.environ[_HOME]))


def serve(home: Path, listen: Listen, say: Callable[[str], None] | None = None) -> None:
    """Serve until the process is told to stop. ``say``: told where, before the port is bound.

    Raises:
        ConfigError: no hub, tables of another version, HTTP without TLS for all to hear, or an
            address that cannot be had.
    """
    settings = read_settings(home)
    read_key(home)
    _demand_tls(listen)
    asyncio.run(_check(settings.database))
    demand_free(listen.host, listen.port)
    os.environ[_HOME] = str(home.resolve())
    if say is not None:
        scheme = "http" if listen.certificate is None else "https"
        host = f"[{listen.host}]" if ":" in listen.host else listen.host
        say(f"Will serve {settings.title!r} at {scheme}://{host}:{listen.port}; Ctrl-C ends it.")
    options: dict[str, Any] = {}
    if listen.certificate is not None:
        options = {
            "ssl_certfile": str(listen.certificate),
            "ssl_keyfile": str(listen.private_key) if listen.private_key else None,
            "ssl_ciphers": _CIPHERS,
        }
    if listen.client_ca is not None:
        options |= {"ssl_ca_certs": str(listen.client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    uvicorn.run(
        "stillwatch.share.hub.serving:build_from_environment",
        factory=True,
        host=listen.host,
        port=listen.port,
        workers=listen.workers,
        access_log=False,  # paths name objects; the chain of events is the record
        server_header=False,
        proxy_headers=False,  # no address that a request tells is used for anything
        log_level="warning",
        timeout_keep_alive=30,
        **options,
    )


async def _check(url: str) -> None:
    database = Database(url)
    try:
        await demand_current(database)
    finally:
        await database.close()


def _demand_tls(listen: Listen) -> None:
    if listen.certificate is None and listen.client_ca is not None:
        raise ConfigError("client certificates need TLS", where="--client-ca", hint="--certificate")
    if listen.certificate is not None or listen.behind_proxy:
        return
    try:
        alone = ipaddress.ip_address(listen.host).is_loopback
    except ValueError:
        alone = listen.host == "localhost"
    if not alone:
        raise ConfigError(
            "tokens would travel in the clear",
            where=f"--host {listen.host}",
            hint="--certificate and --private-key, or --behind-proxy where a proxy ends TLS",
        )
