"""`stillwatch guard`: compile what a scan found, preview it, serve it, take it back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.listening import Host

__all__ = ["guard"]

guard = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None,
    help="Act on accused campaigns in front of the model: graduated, reversible.",
)  # fmt: skip
_Key = Annotated[Path, typer.Option(metavar="FILE", help="Private Ed25519 key that signs (PEM).")]
_Trust = Annotated[
    list[Path], typer.Option(metavar="FILE", help="Public key to trust (PEM); may be given again.")
]
_Others = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="Public key of who signed before (PEM); may be given again."),
]
_Ownership = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The answers that the scan took, so that decisions cite."),
]
_Run = Annotated[Path, typer.Option(metavar="DIR", help="Run directory that a scan wrote.")]


@guard.command("keygen")
def keygen(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key goes.")],
) -> None:
    """Make the key that signs snapshots and orders; its public half gets the ending .pub."""
    from stillwatch.cli.terminal import Page
    from stillwatch.seal import new_key

    new_key(out)
    Page().sentence(f"Private key in {out}, public key in {out}.pub.")


@guard.command("compile")
def compile_(
    run: _Run,
    key: _Key,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The snapshot.")],
    ladder: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Ladder of verdicts (TOML).")
    ] = None,
    permits: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Permits, as for scan.")
    ] = None,
    effects: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What `case effects` wrote.")
    ] = None,
    ownership: _Ownership = None,
    order: Annotated[
        list[str] | None,
        typer.Option(metavar="CAMPAIGN:VERDICT", help="What a person decided; takes --by."),
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who decided.")] = None,
    action_hours: Annotated[
        float, typer.Option(metavar="H", help="After so long an ordered action lapses.")
    ] = 168.0,
    valid_hours: Annotated[
        float, typer.Option(metavar="H", help="After so long the snapshot allows everything.")
    ] = 168.0,
    version: Annotated[
        int | None, typer.Option(metavar="N", help="Default: one more than the file's there.")
    ] = None,
) -> None:
    """Compile a run into the signed snapshot that the guard decides by.

    The snapshot that was there stays beside it as FILE.previous, for `rollback`.
    """
    from stillwatch.cli.guarding import compile_run, told_of
    from stillwatch.cli.terminal import Page

    made = compile_run(
        run, key=key, out=out, ladder=ladder, permits=permits, effects=effects,
        orders=order or [], by=by,
        action_hours=action_hours, valid_hours=valid_hours, version=version,
        ownership=ownership,
    )  # fmt: skip
    page = Page()
    first, *more = told_of(made, effects)
    page.sentence(f"Snapshot {made.snapshot.version} in {out}: {first}")
    for told in more:
        page.sentence(told)


@guard.command("follow")
def follow(
    runs: Annotated[
        Path, typer.Argument(metavar="DIR", help="A run directory, or the folder of several.")
    ],
    key: _Key,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The snapshot.")],
    ladder: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Ladder of verdicts (TOML).")
    ] = None,
    permits: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Permits, as for scan.")
    ] = None,
    effects: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What `case effects` wrote.")
    ] = None,
    ownership: _Ownership = None,
    valid_hours: Annotated[
        float, typer.Option(metavar="H", help="After so long the snapshot allows everything.")
    ] = 168.0,
    every_s: Annotated[
        float, typer.Option(metavar="S", help="Look once in so many seconds; 0: once.")
    ] = 10.0,
) -> None:
    """Compile the newest run that a scan has ended, and again whenever there is another.

    `guard serve --snapshot FILE` takes it within a second. A process of its own, so that a compile
    delays no answer and the guard needs no key that signs.
    """
    from stillwatch.cli.following import Following, follow_runs
    from stillwatch.cli.terminal import Page

    page = Page()
    what = Following(runs, key, out, ladder, permits, effects, ownership, valid_hours)
    for told in follow_runs(what, every_s):
        page.sentence(told)


@guard.command("rollback")
def rollback(
    target: Annotated[
        str, typer.Argument(metavar="FILE|DEPOT", help="The snapshot in use, or a depot.")
    ],
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For a depot: the key that signs (PEM).")
    ] = None,
    by: Annotated[str, typer.Option(metavar="NAME", help="For a depot: who does this.")] = "",
    kind: Annotated[
        str, typer.Option(metavar="WORD", help="For a depot: snapshot, orders or effects.")
    ] = "snapshot",
) -> None:
    """Exchange a snapshot for the one before it; a running guard takes it within a second.

    In a depot every step back goes one version further; nodes take it at their next pull.
    """
    from stillwatch.cli.depots import is_depot, roll_back_depot
    from stillwatch.cli.guarding import roll_back
    from stillwatch.cli.terminal import Page

    if is_depot(target):
        pointer = roll_back_depot(target, kind, key, by)
        told = f"{pointer.version.file} of {pointer.version.by} is in use (step {pointer.serial})."
    else:
        roll_back(Path(target))
        told = f"{target} is the one before; the other is now {target}.previous."
    Page().sentence(told)


_Depot = Annotated[
    str, typer.Argument(metavar="DEPOT", help="A folder, or s3://bucket/prefix as pyarrow reads.")
]


@guard.command("publish")
def publish(
    depot: _Depot,
    key: _Key,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who does this; it is written down.")],
    snapshot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A snapshot that compile wrote.")
    ] = None,
    orders: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Orders (mode, undo).")
    ] = None,
    effects: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What `case effects` wrote; it is signed.")
    ] = None,
) -> None:
    """Put snapshot, orders or effects of cases into a depot that nodes pull from."""
    from stillwatch.cli.depots import publish_files
    from stillwatch.cli.terminal import Page

    page = Page()
    for pointer in publish_files(depot, key, by, snapshot, orders, effects):
        page.sentence(f"{pointer.version.file} is in use in {depot} (step {pointer.serial}).")


@guard.command("prune")
def prune(
    depot: _Depot,
    key: _Key,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who does this; it is written down.")],
    keep: Annotated[
        int, typer.Option(metavar="N", min=1, help="The one in use and N - 1 before it stay.")
    ] = 1,
) -> None:
    """Remove old versions from a depot, so that nobody can go back to them or read them.

    After an erasure: compile, publish, prune. What nodes have pulled is on the nodes.
    """
    from stillwatch.cli.depots import prune_depot
    from stillwatch.cli.terminal import Page

    page = Page()
    for told in prune_depot(depot, key, by, keep):
        page.sentence(told)


@guard.command("pull")
def pull(
    depot: _Depot,
    trust: _Trust,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Folder that a guard serves from.")],
    every_s: Annotated[
        float, typer.Option(metavar="S", help="Go on, once in so many seconds; 0: once.")
    ] = 0.0,
) -> None:
    """Bring what a depot has in use into a folder; what does not hold leaves what is there.

    `guard serve --snapshot DIR/snapshot.json` takes it within a second. A process of its own, so
    that no store that hangs can delay an answer.
    """
    from stillwatch.cli.depots import pull_files
    from stillwatch.cli.terminal import Page

    page = Page()
    for told in pull_files(depot, trust, to, every_s):
        page.sentence(told)


@guard.command("preview")
def preview(
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="As in campaigns.jsonl.")],
    run: _Run,
    days: Annotated[int, typer.Option(metavar="N", help="Traffic of the last N days.")] = 7,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show whom and what each rung would touch, before it is enforced."""
    from stillwatch.cli.guarding import preview_text
    from stillwatch.cli.terminal import Page

    page = Page()
    for line in preview_text(run, campaign, days, as_json=json):
        page.sentence(line)


@guard.command("explain")
def explain(
    decision: Annotated[str, typer.Argument(metavar="DECISION", help="Its id.")],
    log: Annotated[
        list[Path], typer.Option(metavar="FILE", help="Decision log; may be given again.")
    ],
    citations: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What `ownership answer` wrote there.")
    ] = None,
    notice: Annotated[
        bool, typer.Option("--notice", help="Print what the account's owner is told instead.")
    ] = False,
    terms: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Terms of judgement, for the notice (TOML).")
    ] = None,
) -> None:
    """Show what a decision rests on: reasons, rules with their text, the chain of ownership.

    The chain is for the provider's analysts; it is in no answer, no log and no notice.
    """
    from datetime import UTC, datetime

    from stillwatch.cli.citing import explained_decision, notice_of_access
    from stillwatch.cli.terminal import Page
    from stillwatch.errors import ConfigError

    if notice:
        if citations is None:
            raise ConfigError("a notice takes what was cited", where="--citations")
        print(notice_of_access(decision, log, citations, terms, datetime.now(UTC)), end="")
        return
    page = Page()
    for heading, points in explained_decision(decision, log, citations):
        page.heading(heading)
        for point in points:
            page.point(point)


@guard.command("mode")
def mode(
    wanted: Annotated[str, typer.Argument(metavar="MODE", help="off, shadow or enforce.")],
    orders: Annotated[Path, typer.Option(metavar="FILE", help="The orders file.")],
    key: _Key,
    canary: Annotated[
        float | None, typer.Option(metavar="PERCENT", help="Share of accounts enforced upon.")
    ] = None,
    trust: _Others = None,
) -> None:
    """Switch a running guard: off allows everything, shadow only writes what it would do."""
    from stillwatch.cli.ordering import order_mode
    from stillwatch.cli.terminal import Page

    made = order_mode(orders, key, wanted, canary, trust or ())
    Page().sentence(f"Orders {made.version} in {orders}: mode {made.mode}.")


@guard.command("undo")
def undo(
    orders: Annotated[Path, typer.Option(metavar="FILE", help="The orders file.")],
    key: _Key,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who takes it back.")],
    account: Annotated[
        str | None, typer.Option(metavar="ID", help="What was decided about this account.")
    ] = None,
    end_user: Annotated[
        str | None, typer.Option(metavar="ID", help="Of that account, this end user.")
    ] = None,
    campaign: Annotated[
        str | None, typer.Option(metavar="ID", help="What was decided about this campaign.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Everything decided since (ISO 8601).")
    ] = None,
    access: Annotated[
        bool, typer.Option("--access", help="Of the account, the ownership answer alone.")
    ] = False,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="End an undo that was named in the same way.")
    ] = False,
    snapshot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Say so where it knows nothing of that.")
    ] = None,
    trust: _Others = None,
) -> None:
    """Take back what was decided; a running guard obeys within a second."""
    from stillwatch.cli.ordering import Wanted, order_undo
    from stillwatch.cli.terminal import Page

    wanted = Wanted(account, end_user, campaign, since, access)
    made, told = order_undo(
        orders, key, by, wanted, trust=trust or (), snapshot=snapshot, withdraw=withdraw
    )
    page = Page()
    page.sentence(f"Orders {made.version} in {orders}: {len(made.in_force)} things taken back.")
    for sentence in told:
        page.sentence(sentence)


@guard.command("serve")
def serve(
    snapshot: Annotated[Path, typer.Option(metavar="FILE", help="Signed snapshot.")],
    trust: _Trust,
    port: Annotated[int, typer.Option(metavar="N", help="Port.")] = 8470,
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
        int, typer.Option(metavar="N", help="Proxies of your own before the gateway.")
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
        float, typer.Option(metavar="MS", help="Beyond this delay requests pass unseen.")
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
            capacity=Capacity(capacity, capacity // 4, capacity // 4, capacity // 4),
            decision_log=log, ocsf_log=ocsf,
            shed_lag_ms=shed_lag_ms, trusted_hops=trusted_hops,
        ),
        host=host, port=port, tls_cert=tls_cert, tls_key=tls_key, client_ca=client_ca,
        traces=traces, trace_share=trace_share,
    )  # fmt: skip
