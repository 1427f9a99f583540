"""`stillwatch hub …`: the neutral exchange, for its operator."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.listening import BehindProxy, Certificate, Host, Port, PrivateKey

__all__ = ["hub"]

hub = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Run a hub: a TAXII 2.1 server for members."
)
member = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Members and tokens.")
collection = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Collections.")
hub.add_typer(member, name="member")
hub.add_typer(collection, name="collection")

Home = Annotated[Path, typer.Option(metavar="DIR", help="The hub's folder.")]
_HOME = Path("stillwatch-hub")


@hub.command("init")
def init(
    home: Home = _HOME,
    title: Annotated[
        str, typer.Option(metavar="TEXT", help="The hub's name, as members see it.")
    ] = "stillwatch hub",
    database: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="sqlite:///FILE in the hub's folder, or postgresql://USER:PASSWORD@HOST/NAME.",
        ),
    ] = "sqlite:///hub.sqlite",
    root: Annotated[
        str, typer.Option(metavar="NAME", help="The API root, as it stands in URLs.")
    ] = "exchange",
    rules: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="antitrust (default), or structure: any STIX 2.1, to try a TAXII client.",
        ),
    ] = "antitrust",
    witness: Annotated[
        bool, typer.Option("--witness", help="Make a witness instead: no collections.")
    ] = False,
) -> None:
    """Make a hub.

    Writes its settings and its keys, makes its tables, an API root and the collections
    technical and aggregate. A witness is run by somebody else: it cosigns the hub's ledger and
    holds the other half of the matching key.
    """
    from stillwatch.cli.terminal import Page
    from stillwatch.share.hub import Office, make_home

    role = "witness" if witness else "hub"
    make_home(home, title=title, database=database, rules=rules, role=role)
    office, now, page = Office(home), datetime.now(UTC), Page()
    office.migrate()
    if witness:
        page.sentence(f"The witness is in {home}; enter the hub's ledger in its hub.toml.")
        return
    office.add_root(root, title=title)
    for alias, text in (
        ("technical", "Techniques, infrastructure and fingerprints, as they are seen."),
        ("aggregate", "Figures of several contributors, late and banded."),
    ):
        made = office.add_collection(
            root, title=alias.capitalize(), description=text, alias=alias, now=now
        )
        page.sentence(f"Collection {alias}: {made}")
    page.sentence(f"The hub is in {home}; keep hub.key as you would a password.")


@hub.command("serve")
def serve_hub(
    home: Home = _HOME,
    host: Host = "127.0.0.1",
    port: Port = 6100,
    certificate: Certificate = None,
    private_key: PrivateKey = None,
    client_ca: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take only clients with a certificate of this CA."),
    ] = None,
    behind_proxy: BehindProxy = False,
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="Processes.")] = 1,
) -> None:
    """Serve TAXII 2.1 until interrupted.

    Without --certificate only on loopback, or --behind-proxy.
    """
    from stillwatch.share.hub import Listen, serve

    serve(
        home,
        Listen(host, port, certificate, private_key, client_ca, behind_proxy, workers),
        say=lambda text: print(text, file=sys.stderr, flush=True),
    )


@hub.command("migrate")
def migrate(home: Home = _HOME) -> None:
    """Bring the database to this version's tables.

    Stop the hub before it, and keep a copy.
    """
    from stillwatch.share.hub import Office

    Office(home).migrate()


@hub.command("verify")
def verify(
    home: Home = _HOME,
    last: Annotated[
        str | None,
        typer.Option(metavar="DIGEST", help="A digest kept elsewhere that the chain must hold."),
    ] = None,
) -> None:
    """Check the ledger from its beginning: the chain of events, the tree, every checkpoint.

    Prints how many there are and the last digest: keep it elsewhere, since a cut end shows by
    nothing else but a checkpoint.
    """
    from stillwatch.cli.terminal import Page
    from stillwatch.share.hub import Office, verify_ledger

    count, digest = Office(home).verify(last)
    size, root = verify_ledger(home)
    page = Page()
    page.sentence(f"{count:,} events hold together; the last: {digest or 'none yet'}")
    page.sentence(f"{size:,} entries are in the tree and fit its checkpoints; root: {root}")


@hub.command("checkpoint")
def make_checkpoint(
    home: Home = _HOME,
    witness: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="A witness that cosigns; may be given again."),
    ] = None,
) -> None:
    """Sign the ledger as it is, and have it cosigned.

    Prints the checkpoint, then the ledger's name and public key: members and witnesses pin those.
    Run it every hour: a member can prove what the newest checkpoint covers.
    """
    from stillwatch.share.hub import checkpoint

    made = checkpoint(home, witnesses=witness or [])
    print(made["note"])
    print(f'ledger = "{made["ledger"]}"\nkey = "{made["key"]}"')


@hub.command("transparency")
def transparency_report(
    home: Home = _HOME,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From this time on (ISO 8601, UTC).")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before this time.")] = None,
) -> None:
    """Print the transparency report of a period as JSON, made from the ledger.

    In log bands and without members; the ledger is checked first, and its newest checkpoint is
    part of the report.
    """
    import json

    from stillwatch.share.hub import transparency

    told = transparency(home, _instant(since, "--since"), _instant(until, "--until"))
    print(json.dumps(told, indent=2, sort_keys=True))


@hub.command("events")
def events(
    home: Home = _HOME,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From this time on (ISO 8601, UTC).")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before this time.")] = None,
) -> None:
    """Print the events of a period, one JSON object a line.

    Who submitted, was denied, read and was given how much and for which purpose; never content.
    """
    import json

    from stillwatch.share.hub import Office

    for value in Office(home).events(_instant(since, "--since"), _instant(until, "--until")):
        print(json.dumps(value, sort_keys=True))


@hub.command("received")
def received(
    object_id: Annotated[str, typer.Argument(metavar="OBJECT", help="A STIX id.")],
    home: Home = _HOME,
) -> None:
    """Say which members were handed an object.

    For a correction: revocations and deletions are noted for them by themselves.
    """
    from stillwatch.cli.terminal import Page
    from stillwatch.share.hub import Office

    rows = [(r.pseudonym, r.collection, r.version) for r in Office(home).received(object_id)]
    if rows:
        Page().table(("member", "collection", "version"), rows)
    else:
        Page().sentence("Nobody was handed it.")


@collection.command("add")
def collection_add(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="Its name.")],
    home: Home = _HOME,
    root: Annotated[str, typer.Option(metavar="NAME", help="The API root.")] = "exchange",
    alias: Annotated[
        str | None, typer.Option(metavar="NAME", help="A name that URLs may use for its id.")
    ] = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="What it is for.")] = None,
    tier: Annotated[
        str, typer.Option(metavar="TIER", help="Lowest tier: observer, member or trusted.")
    ] = "member",
    tlp: Annotated[
        str, typer.Option(metavar="LEVEL", help="TLP of objects that carry none.")
    ] = "amber",
    stix: Annotated[
        list[str] | None,
        typer.Option(metavar="VERSION", help="STIX version that it takes; may be given again."),
    ] = None,
    identifier: Annotated[
        str | None, typer.Option("--id", metavar="UUID", help="Its id; a new one by default.")
    ] = None,
) -> None:
    """Make a collection and print its id.

    It takes STIX 2.1 unless --stix says otherwise.
    """
    from stillwatch.share.hub import Office

    print(
        Office(home).add_collection(
            root,
            title=title,
            description=description,
            alias=alias,
            tier=tier,
            default_tlp=tlp,
            spec_versions=stix or ["2.1"],
            identifier=identifier,
            now=datetime.now(UTC),
        )
    )


@collection.command("list")
def collection_list(home: Home = _HOME) -> None:
    """List the collections.

    With the API root, alias and STIX versions of each.
    """
    from stillwatch.cli.terminal import Page
    from stillwatch.share.hub import Office

    Page().table(
        ("root", "id", "alias", "title", "STIX"),
        [
            (c["slug"], c["id"], c["alias"] or "", c["title"], c["spec_versions"])
            for c in Office(home).collections()
        ],
    )


@member.command("add")
def member_add(
    label: Annotated[
        str, typer.Argument(metavar="LABEL", help="Your own note of who it is; never sent.")
    ],
    home: Home = _HOME,
    role: Annotated[
        str,
        typer.Option(metavar="ROLE", help="reader, contributor, operator or counsel."),
    ] = "contributor",
    tier: Annotated[
        str, typer.Option(metavar="TIER", help="observer, member or trusted.")
    ] = "member",
    purpose: Annotated[
        str,
        typer.Option(
            metavar="PURPOSE",
            help="Purpose of its agreement, recorded for reads that name none: detection, "
            "investigation, mitigation, measurement, correction or audit.",
        ),
    ] = "detection",
    named: Annotated[
        bool,
        typer.Option("--named", help="Leave its created_by_ref and identity objects as sent."),
    ] = False,
    objects_per_day: Annotated[
        int, typer.Option(metavar="N", min=0, help="Objects that it may add a day.")
    ] = 100_000,
    reads_per_day: Annotated[
        int, typer.Option(metavar="N", min=0, help="Objects that it may read a day.")
    ] = 10_000_000,
    token_days: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Days until its token ends.")
    ] = None,
) -> None:
    """Admit a member; print its pseudonym, its token and its identity.

    The token is shown this once; the hub keeps a digest alone. The identity is what the hub puts
    under all that the member sends: its client begins with `share start --contributor IDENTITY`.
    A member that is --named has none.
    """
    from stillwatch.share.hub import Office

    office = Office(home)
    pseudonym, token = office.add_member(
        label,
        role=role,
        tier=tier,
        purpose=purpose,
        pseudonymous=not named,
        objects_per_day=objects_per_day,
        reads_per_day=reads_per_day,
        token_days=token_days,
        now=datetime.now(UTC),
    )
    print(f"{pseudonym}\n{token}")
    if not named:
        print(office.identity(pseudonym))


@hub.command("figures")
def figures(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="JSON lines: a contributor's figures each."),
    ],
    first: Annotated[str, typer.Option(metavar="MONTH", help="First month: 2026-03.")],
    last: Annotated[str, typer.Option(metavar="MONTH", help="Last month: 2026-06.")],
    operator: Annotated[
        str, typer.Option("--as", metavar="MEMBER", help="Your pseudonym, of role operator.")
    ],
    into: Annotated[
        str, typer.Option("--collection", metavar="COLLECTION", help="Its id or alias.")
    ] = "aggregate",
    home: Home = _HOME,
) -> None:
    """Publish figures of several contributors, in bands.

    Refused unless five contribute, none over a quarter, 90 days after the last month, and no
    earlier publication could be subtracted. Delete the file afterwards: the hub keeps no figure.
    """
    import json

    from stillwatch.share.hub import publish_figures, read_parts

    months = [_month(text, option) for text, option in ((first, "--first"), (last, "--last"))]
    made = publish_figures(
        home, read_parts(file), *months, operator=operator, collection=into,
        now=datetime.now(UTC),
    )  # fmt: skip
    print(json.dumps(made, indent=2, sort_keys=True))


def _month(text: str, option: str) -> datetime:
    from stillwatch.errors import ConfigError

    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise ConfigError("is no month", where=option, hint="write it like 2026-03") from None


@member.command("list")
def member_list(home: Home = _HOME) -> None:
    """List the members.

    With your labels: keep the output to yourself.
    """
    from stillwatch.cli.terminal import Page
    from stillwatch.share.hub import Office

    Page().table(
        ("pseudonym", "label", "role", "tier", "purpose", "state"),
        [
            (
                m["pseudonym"],
                m["label"],
                m["role"],
                m["tier"],
                m["purpose"],
                "active" if m["disabled"] is None else "disabled",
            )
            for m in Office(home).members()
        ],
    )


@member.command("token")
def member_token(
    pseudonym: Annotated[str, typer.Argument(metavar="MEMBER", help="Its pseudonym.")],
    home: Home = _HOME,
    keep: Annotated[
        bool, typer.Option("--keep", help="Let its other tokens go on working.")
    ] = False,
    days: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Days until it ends.")
    ] = None,
) -> None:
    """Make a new token for a member; the others end.

    With --keep they go on, for a change without a gap.
    """
    from stillwatch.share.hub import Office

    print(Office(home).new_token(pseudonym, now=datetime.now(UTC), days=days, replace=not keep))


@member.command("disable")
def member_disable(
    pseudonym: Annotated[str, typer.Argument(metavar="MEMBER", help="Its pseudonym.")],
    home: Home = _HOME,
) -> None:
    """End a member's access at once.

    What it submitted stays.
    """
    from stillwatch.share.hub import Office

    Office(home).disable(pseudonym, now=datetime.now(UTC))


@member.command("grant")
def member_grant(
    pseudonym: Annotated[str, typer.Argument(metavar="MEMBER", help="Its pseudonym.")],
    collection: Annotated[
        str, typer.Argument(metavar="COLLECTION", help="A collection's id or alias.")
    ],
    rights: Annotated[str, typer.Argument(metavar="RIGHTS", help="rw, r, w or none.")],
    home: Home = _HOME,
) -> None:
    """Give a member rights of its own on one collection.

    They replace what its role and tier give; a reader never writes.
    """
    from stillwatch.share.hub import Office

    Office(home).grant(pseudonym, collection, rights)


def _instant(text: str | None, option: str) -> datetime | None:
    from stillwatch.errors import ConfigError

    if text is None:
        return None
    try:
        made = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"not an ISO 8601 time: {text[:40]!r}", where=option,
            hint="write it like 2026-01-31, or 2026-01-31T00:00:00Z",
        ) from error  # fmt: skip
    return made.replace(tzinfo=UTC) if made.tzinfo is None else made
