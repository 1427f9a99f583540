"""`stillwatch guard serve`: gateways are answered."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.guard.options import Trust
from stillwatch.cli.listening import Host, Port

__all__ = ["serve"]


def serve(
    snapshot: Annotated[Path, typer.Option(metavar="FILE", help="Signed snapshot.")],
    trust: Trust,
    port: Port = 8470,
    host: Host = "127.0.0.1",
    orders: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Signed orders (mode, undo).")
    ] = None,
    effects: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Signed effects of cases, as `guard pull` brings them."),
    ] = None,
    kill_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="While it exists, everything is allowed.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where state survives a restart.")
    ] = None,
    redis: Annotated[
        str | None, typer.Option(metavar="URL", help="Redis through which nodes gossip.")
    ] = None,
    node: Annotated[
        str, typer.Option(metavar="NAME", help="This node's name; each needs its own.")
    ] = "node-0",
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Tokens of callers, one a line.")
    ] = None,
    fail_closed: Annotated[
        list[str] | None,
        typer.Option(metavar="ROUTE", help="decide, authz or litellm: refuse when in doubt."),
    ] = None,
    account_header: Annotated[
        str, typer.Option(metavar="NAME", help="Header that names the account, for /authz.")
    ] = "x-account-id",
    end_user_header: Annotated[
        str, typer.Option(metavar="NAME", help="Header for the end user; unnamed, none counts.")
    ] = "",
    org_header: Annotated[
        str, typer.Option(metavar="NAME", help="Header for the organization, likewise.")
    ] = "",
    plan_header: Annotated[
        str, typer.Option(metavar="NAME", help="Header for the plan, likewise.")
    ] = "",
    created_header: Annotated[
        str, typer.Option(metavar="NAME", help="Header for when the account was made, likewise.")
    ] = "",
    trusted_hops: Annotated[
        int, typer.Option(metavar="N", min=0, help="Proxies of your own before the gateway.")
    ] = 0,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Decisions other than allow, JSON lines.")
    ] = None,
    ocsf: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The same as OCSF 1.8 events, JSON lines.")
    ] = None,
    traces: Annotated[
        str | None, typer.Option(metavar="URL", help="OTLP/HTTP collector, with /v1/traces.")
    ] = None,
    trace_share: Annotated[
        float, typer.Option(metavar="P", help="Of requests without a trace, so many get one.")
    ] = 0.01,
    metrics_token: Annotated[
        bool, typer.Option("--metrics-token", help="Ask for a token at /metrics too.")
    ] = False,
    max_body: Annotated[
        int, typer.Option(metavar="BYTES", min=1, help="Beyond, a text is not looked at.")
    ] = 1_048_576,
    max_headers: Annotated[
        int, typer.Option(metavar="N", min=1, help="Of a longer head only known names are kept.")
    ] = 100,
    body_timeout: Annotated[
        float, typer.Option(metavar="S", min=0.01, help="A head or body must have come by then.")
    ] = 5.0,
    capacity: Annotated[
        int, typer.Option(metavar="N", min=4, help="Conversations remembered; others a quarter.")
    ] = 1_000_000,
    shed_lag_ms: Annotated[
        float, typer.Option(metavar="MS", min=1, help="Beyond this delay requests pass unseen.")
    ] = 100.0,
    tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="Certificate.")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key.")] = None,
    client_ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Hear only callers it has signed (mTLS).")
    ] = None,
) -> None:
    """Answer gateways: POST /v1/decide, /v1/observe, /authz/…, LiteLLM's guardrail, /metrics."""
    from stillwatch.cli.tokens import tokens_of
    from stillwatch.guard import Capacity, Serving, serve
    from stillwatch.seal import read_public_key

    serve(
        Serving(
            snapshot=snapshot, keys=tuple(read_public_key(path) for path in trust), orders=orders,
            effects=effects,
            kill_file=kill_file, state=state, redis_url=redis, node=node,
            tokens=tokens_of(token_file), fail_closed=frozenset(fail_closed or ()),
            account_header=account_header.lower(), end_user_header=end_user_header.lower(),
            org_header=org_header.lower(), plan_header=plan_header.lower(),
            created_header=created_header.lower(),
            metrics_token=metrics_token, max_body=max_body, max_headers=max_headers,
            body_timeout_s=body_timeout,
            capacity=Capacity.for_conversations(capacity),
            decision_log=log, ocsf_log=ocsf,
            shed_lag_ms=shed_lag_ms, trusted_hops=trusted_hops,
        ),
        host=host, port=port, tls_cert=tls_cert, tls_key=tls_key, client_ca=client_ca,
        traces=traces, trace_share=trace_share,
    )  # fmt: skip
