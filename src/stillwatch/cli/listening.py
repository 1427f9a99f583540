"""The options of the commands that serve HTTP with TLS: `console`, `hub serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["BehindProxy", "Certificate", "Host", "Port", "PrivateKey"]

Host = Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")]
Port = Annotated[int, typer.Option(metavar="N", min=1, max=65535, help="Port to listen on.")]
Certificate = Annotated[
    Path | None, typer.Option(metavar="FILE", help="TLS certificate chain, PEM.")
]
PrivateKey = Annotated[Path | None, typer.Option(metavar="FILE", help="Its private key, PEM.")]
BehindProxy = Annotated[bool, typer.Option("--behind-proxy", help="A proxy in front ends TLS.")]
