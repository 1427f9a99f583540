"""The server: one process that answers, one beside it that writes segments."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
from typing import Any, Final

from stillwatch.collect.settings import Settings
from stillwatch.errors import ConfigError
from stillwatch.schema import bound

__all__ = ["serve"]

_HEAD_S: Final = 10.0
_MOST_CONNECTIONS: Final = 2_000


def serve(settings: Settings) -> None:
    """Serve until the process is told to end (SIGTERM, SIGINT); then what waits is written.

    Raises ConfigError: a package is missing, the folder cannot be made, another collector has it,
    the address cannot be had.
    """
    try:
        import uvicorn

        from stillwatch.collect.asgi import app_of
        from stillwatch.collect.patience import patient_protocol
        from stillwatch.collect.service import Service
    except ImportError as error:
        raise ConfigError(
            f"collecting needs the package {error.name}", hint="pip install 'stillwatch[collect]'"
        ) from error
    os.umask(0o077)  # what is written holds prompts
    # uvicorn ends gracefully and then raises the signal again: by now that is said with 0
    signal.signal(signal.SIGTERM, lambda *_: None)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")

    async def run(sockets: list[socket.socket]) -> None:
        service = Service(settings)
        options: dict[str, Any] = {}
        if settings.tls_cert is not None:
            options = {"ssl_certfile": str(settings.tls_cert), "ssl_keyfile": str(settings.tls_key)}
        if settings.client_ca is not None:
            options |= {
                "ssl_ca_certs": str(settings.client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED,
            }  # fmt: skip
        config = uvicorn.Config(
            app_of(service), host=settings.host, port=settings.port, access_log=False,
            log_level="warning", http=patient_protocol(_HEAD_S), timeout_keep_alive=75,
            server_header=False, date_header=False, proxy_headers=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=int(settings.body_s) + 5, **options,
        )  # fmt: skip
        await uvicorn.Server(config).serve(sockets=sockets)

    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as held:
        found = bound(settings.host, settings.port)
        asyncio.run(run([held.enter_context(one) for one in found]))
