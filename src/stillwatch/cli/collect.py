"""`stillwatch collect`: receive logs as they happen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.listening import Port

__all__ = ["collect"]


def collect(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder for date=…/hour=…/*.parquet.")
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen on; another than loopback needs tokens or mTLS.")
    ] = "127.0.0.1",
    port: Port = 4318,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Tokens of callers, one a line (Bearer or x-api-key)."),
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="Certificate.")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key.")] = None,
    client_ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Hear only callers it has signed (mTLS).")
    ] = None,
    segment_mb: Annotated[
        float, typer.Option(metavar="MB", min=0.01, help="Write a segment from so much received.")
    ] = 64.0,
    segment_seconds: Annotated[
        float, typer.Option(metavar="S", min=0.1, help="Write a segment at least so often.")
    ] = 60.0,
    join_seconds: Annotated[
        float, typer.Option(metavar="S", min=0, help="Let a span wait so long for its event.")
    ] = 15.0,
    max_body_mb: Annotated[
        float, typer.Option(metavar="MB", min=0.001, help="Largest body, as sent.")
    ] = 20.0,
    max_inflated_mb: Annotated[
        float, typer.Option(metavar="MB", min=0.001, help="Largest body, inflated.")
    ] = 64.0,
    pending_mb: Annotated[
        float, typer.Option(metavar="MB", min=0.001, help="Most of all requests in memory.")
    ] = 256.0,
    backlog_gb: Annotated[
        float, typer.Option(metavar="GB", min=0.00001, help="Most on disk, not yet in segments.")
    ] = 4.0,
    body_seconds: Annotated[
        float, typer.Option(metavar="S", min=0.1, help="Patience with a slow body.")
    ] = 30.0,
) -> None:
    """Receive LiteLLM's generic API logger and OTLP/HTTP, and write canonical Parquet.

    POST /v1/litellm takes one payload, an array or one a line; POST /v1/traces and /v1/logs take
    OTLP in protobuf or JSON, plain or in gzip. An answer of 200 means that the records are on the
    disk. GET /metrics, /healthz and /readyz tell how it goes. `scan DIR` reads what was written.
    """
    from stillwatch.cli.tokens import tokens_of
    from stillwatch.collect import Settings, serve

    serve(
        Settings(
            folder=folder, host=host, port=port, tokens=tokens_of(token_file), tls_cert=tls_cert,
            tls_key=tls_key, client_ca=client_ca, segment_bytes=int(segment_mb * 2**20),
            segment_s=segment_seconds, join_s=join_seconds, max_body=int(max_body_mb * 2**20),
            max_inflated=int(max_inflated_mb * 2**20), pending_bytes=int(pending_mb * 2**20),
            backlog_bytes=int(backlog_gb * 2**30), body_s=body_seconds,
        )
    )  # fmt: skip
