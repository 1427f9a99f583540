"""`stillwatch share …`: warn other providers, and hear their warnings."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.errors import ConfigError

if TYPE_CHECKING:
    from stillwatch.share.client import Collection, Home, Package

__all__ = ["share"]

share = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None,
    help="Warn other providers of campaigns, and hear their warnings: lawfully, without customers.",
)  # fmt: skip

HomeDir = Annotated[
    Path, typer.Option("--home", metavar="DIR", help="Your folder of the exchange.")
]
Name = Annotated[str, typer.Argument(metavar="PACKAGE", help="First digits of its name.")]
Person = Annotated[str, typer.Option("--as", metavar="NAME", help="Who you are in share.toml.")]
Key = Annotated[Path, typer.Option("--key", metavar="FILE", help="Your private key.")]
Offline = Annotated[bool, typer.Option("--offline", help="Sign only; send another time.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID", help="Ids of STIX objects.")]
Purpose = Annotated[
    str,
    typer.Option(
        metavar="WORD",
        help="detection, investigation, mitigation, measurement, correction or audit.",
    ),
]
_HOME = Path("share")


def _now() -> datetime:
    return datetime.now(UTC)


def _open(path: Path) -> Home:
    from stillwatch.share.client import open_home

    return open_home(path)


def _hub(home: Home) -> Collection:
    from stillwatch.share.client import Collection

    missing = " and ".join(name for name in ("url", "collection") if not home.hub.get(name))
    if missing:
        raise ConfigError(
            f"no hub: {missing} of [hub] is not set",
            where="share.toml",
            hint="ask the hub's operator and fill it in, or use --offline",
        )
    return Collection(home.hub["url"], home.hub["collection"], auth=home.token())


def _say(made: Package) -> None:
    print(f"{made.name}: {len(made.objects)} objects, purpose {made.purpose}")


@share.command()
def start(
    contributor: Annotated[
        str, typer.Option(metavar="ID", help="The identity the hub gave you; a new one if not.")
    ] = "",
    home: HomeDir = _HOME,
) -> None:
    """Make a folder of the exchange, with your pseudonym and settings to fill in."""
    import uuid

    from stillwatch.share.client import start_home

    try:
        name = uuid.UUID(contributor.removeprefix("identity--")) if contributor else uuid.uuid4()
    except ValueError as error:
        raise ConfigError("is no identity of STIX", where="--contributor") from error
    print(start_home(home, contributor=name))


@share.command()
def keys(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the person.")],
    home: HomeDir = _HOME,
) -> None:
    """Make a pair of keys for a person who releases: home/keys/NAME and NAME.pub."""
    from stillwatch.seal import new_key

    if not name.isidentifier():
        raise ConfigError("must be letters, digits and underscores", where="NAME")
    (home / "keys").mkdir(mode=0o700, parents=True, exist_ok=True)
    new_key(home / "keys" / name)
    print(f'[people.{name}]\nkey = "keys/{name}.pub"')


@share.command()
def prepare(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory of `scan`.")],
    campaign: Annotated[
        str, typer.Option("--campaign", metavar="ID", help="An accused campaign of it; all else.")
    ] = "",
    tokens: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON lines: campaign_id, kind, value, epoch."),
    ] = None,
    describe: Annotated[
        str,
        typer.Option(metavar="TEXT", help="Prose instead of the computed description."),
    ] = "",
    home: HomeDir = _HOME,
) -> None:
    """Put accused campaigns into the outbox, without anybody's identity. Nothing leaves yet."""
    from stillwatch.cli.campaign_rows import accused_rows, read_tokens
    from stillwatch.share.client import prepare_campaign

    opened, now = _open(home), _now()
    if describe and not campaign:
        raise ConfigError("describes one campaign", where="--describe", hint="name it: --campaign")
    extra = read_tokens(tokens)
    for line, rows in accused_rows(run, campaign):
        own = extra.get(str(line["campaign_id"]), [])
        made = prepare_campaign(opened, line, [*rows, *own], now=now, description=describe)
        _say(made)


@share.command()
def wording(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="As for prepare --describe.")],
) -> None:
    """Say whether a description may be shared as it is, and which of its words are not listed.

    For its author's eyes: a refusal itself never repeats a word.
    """
    from stillwatch.share import faults, unlisted

    now = _now()
    found = faults(text, now=now)
    for fault in found:
        print(f"{fault.rule}: the text {fault.says}")
    if words := unlisted(text, now=now):
        print(f"not listed: {', '.join(words)}")
    if found:
        raise typer.Exit(1)
    print("may be shared as it is")


@share.command("list")
def list_packages(home: HomeDir = _HOME) -> None:
    """Name the packages of the outbox, and how far each is."""
    from stillwatch.share.client import packages

    for one in packages(_open(home)):
        sent = list(one.receipts().values()).count("success")
        state = "reviewed or released" if one.envelope() else "prepared"
        print(f"{one.name}  {state}, {sent} of {len(one.objects)} objects taken by the hub")


@share.command()
def show(package: Name, home: HomeDir = _HOME) -> None:
    """Print all that a package would say, as it would leave."""
    import json

    from stillwatch.share.client import package_of

    for one in package_of(_open(home), package).objects:
        print(json.dumps(one, indent=2, sort_keys=True))


@share.command()
def review(package: Name, person: Person, key: Key, home: HomeDir = _HOME) -> None:
    """Sign a package as the first person, after reading it with `share show`."""
    from stillwatch.seal import read_private_key
    from stillwatch.share.client import package_of
    from stillwatch.share.client import review as sign

    opened = _open(home)
    made = package_of(opened, package)
    count = sign(opened, made, person, read_private_key(key), now=_now())
    print(f"{made.name}: signed by {count}")


@share.command()
def release(
    package: Name, person: Person, key: Key, offline: Offline = False, home: HomeDir = _HOME
) -> None:
    """Sign a package as the second person, and send it; again, to go on where sending stopped."""
    from stillwatch.seal import read_private_key
    from stillwatch.share.client import package_of
    from stillwatch.share.client import release as sign

    opened = _open(home)
    made = package_of(opened, package)
    count = sign(opened, made, person, read_private_key(key), now=_now())
    print(f"{made.name}: signed by {count}")
    if not offline:
        _send(opened, made)


@share.command()
def send(package: Name, home: HomeDir = _HOME) -> None:
    """Send a released package, or the rest of it."""
    opened = _open(home)
    from stillwatch.share.client import package_of

    _send(opened, package_of(opened, package))


def _send(home: Home, made: Package) -> None:
    from stillwatch.share.client import send as deliver

    with _hub(home) as hub:
        counts = deliver(home, made, hub, now=_now())
    print(", ".join(f"{name} {count}" for name, count in counts.items()))


@share.command()
def pull(
    purpose: Purpose = "detection",
    home: HomeDir = _HOME,
) -> None:
    """Fetch what others share and write pulled/indicators.jsonl."""
    from stillwatch.share.client import pull as fetch

    opened = _open(home)
    with _hub(opened) as hub:
        got = fetch(opened, hub, purpose=purpose, now=_now())
    print(f"received {got.received}, refused {got.refused}, left out: {_counted(got.left_out)}")
    print(f"{got.indicators} indicators in {got.path}")


@share.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A STIX 2.1 bundle, of any maker.")],
    source: Annotated[
        str, typer.Option(metavar="NAME", help="Your name for who sent it; again: replaced.")
    ],
    purpose: Purpose = "detection",
    home: HomeDir = _HOME,
) -> None:
    """Add what a scan can match of a STIX file to pulled/indicators.jsonl; say what is dropped.

    Nothing of it is shared further. It weighs what a newcomer's word weighs.
    """
    from stillwatch.share.client import INDICATORS, import_stix, write_indicators

    opened, now = _open(home), _now()
    got = import_stix(opened, file, source=source, purpose=purpose, now=now)
    print(f"read {got.read} objects, {got.used} indicators of use")
    for why, count in got.dropped.items():
        print(f"dropped {count}: {why}")
    total, left = write_indicators(opened, now=now)
    print(f"left out: {_counted(left)}")
    print(f"{total} indicators in {opened.pulled / INDICATORS}")


def _counted(left: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in left.items())


@share.command()
def sight(
    campaign: Annotated[str, typer.Argument(metavar="ID", help="Id of the STIX campaign.")],
    accounts: Annotated[int, typer.Option(min=1, metavar="N", help="Accounts; told as a band.")],
    first: Annotated[datetime, typer.Option(metavar="DAY", help="First day seen, UTC.")],
    last: Annotated[datetime, typer.Option(metavar="DAY", help="Last day seen, UTC.")],
    home: HomeDir = _HOME,
) -> None:
    """Say that you saw a campaign too: in bands and days, 6 to 48 hours from now."""
    import random

    from stillwatch.share.client import sight as say

    days = (first.replace(tzinfo=UTC), last.replace(tzinfo=UTC))
    rng = random.SystemRandom()
    _say(say(_open(home), campaign, accounts, *days, now=_now(), rng=rng))


@share.command()
def opine(
    about: Annotated[str, typer.Argument(metavar="ID", help="Id of a STIX object.")],
    opinion: Annotated[
        str, typer.Argument(metavar="OPINION", help="strongly-disagree to strongly-agree.")
    ],
    home: HomeDir = _HOME,
) -> None:
    """Say how far you agree with what another member shared."""
    from stillwatch.share.client import opine as say

    _say(say(_open(home), about, opinion, now=_now()))


@share.command()
def revoke(ids: Ids, home: HomeDir = _HOME) -> None:
    """Take back what you sent; the correction needs one signature and reaches all who received."""
    from stillwatch.share.client import revoke as say

    _say(say(_open(home), ids, now=_now()))


@share.command()
def appeal(
    ids: Ids,
    outcome: Annotated[
        str,
        typer.Option(
            metavar="KIND", help="appeal_opened, appeal_upheld, appeal_denied or false_positive."
        ),
    ] = "appeal_opened",
    home: HomeDir = _HOME,
) -> None:
    """Open an appeal against what was shared, or say how it ended."""
    from stillwatch.share.client import appeal as say

    _say(say(_open(home), ids, outcome, now=_now()))


@share.command()
def audit(
    since: Annotated[
        datetime | None, typer.Option(metavar="DAY", help="First day, UTC; the beginning if not.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(metavar="DAY", help="The day after the last; today if not.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Counsel's export, as JSON lines.")
    ] = None,
    receipt: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A receipt of the hub, checked off-line.")
    ] = None,
    hub_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The hub's public key.")
    ] = None,
    origin: Annotated[str, typer.Option(metavar="NAME", help="The hub's ledger's name.")] = "",
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch the hub's proofs first; without, off-line.")
    ] = False,
    home: HomeDir = _HOME,
) -> None:
    """Check your ledger and the hub's proofs, count what was done, and export it for counsel.

    What --fetch brought is checked off-line every time: receipts of all that you did at the hub,
    checkpoints with the witness's cosignature, and that each ledger continues the one before.
    """
    from stillwatch.share.client import export, summarize, verify_own

    opened = _open(home)
    print(f"ledger: {verify_own(opened)} entries hold")
    end = until.replace(tzinfo=UTC) if until else _now()
    begin = since.replace(tzinfo=UTC) if since else datetime.min.replace(tzinfo=UTC)
    for name, count in summarize(opened, begin, end).items():
        print(f"{name}: {count}")
    if out is not None:
        from stillwatch.seal import canonical

        out.write_bytes(b"".join(canonical(line) + b"\n" for line in export(opened, begin, end)))
        print(out)
    if receipt is not None:
        _check_receipt(receipt, hub_key, origin)
    _check_proofs(opened, fetch=fetch)


def _check_proofs(home: Home, *, fetch: bool) -> None:
    from stillwatch.share.client import check, fetch_proofs, hub_client

    if fetch:
        with hub_client(home) as http:
            print(f"hub: {fetch_proofs(home, http)} new receipts")
    elif not (home.path / "hub-ledger").exists():
        return
    proven = check(home)
    cosigned = ", ".join(proven.witnesses) or "nobody"
    print(f"hub: the ledger of {proven.size} entries only grew; cosigned by {cosigned}")
    for name, count in proven.entries.items():
        print(f"hub {name}: {count}")


def _check_receipt(receipt: Path, hub_key: Path | None, origin: str) -> None:
    import json

    from stillwatch.seal import read_public_key
    from stillwatch.share.client import verify_receipt

    if hub_key is None or not origin:
        raise ConfigError("a receipt is checked against --hub-key and --origin", where="--receipt")
    seen = verify_receipt(
        json.loads(receipt.read_text(encoding="utf-8")), read_public_key(hub_key), origin=origin
    )
    print(f"receipt: in the ledger {seen.origin} of {seen.size} entries")


@share.command()
def pin(home: HomeDir = _HOME) -> None:
    """Pin the matching keys of hub and witness; compare the printed digests with other members.

    A holder that showed you a key of your own could recognise your tokens.
    """
    from stillwatch.share.client import open_holders

    with open_holders(_open(home)) as holders:
        for epoch, digest in holders.pin().items():
            print(f"{epoch} {digest}")


@share.command("tokens")
def make_tokens(
    values: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="JSON lines with kind and value; the rest is kept."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the tokens go.")],
    home: HomeDir = _HOME,
) -> None:
    """Make tokens of canonical values: hub and witness see them blinded, and learn none.

    For `prepare --tokens` (lines with campaign_id, values of core members of accused campaigns), or
    to look up what was shared among your own accounts.
    """
    from stillwatch.cli.campaign_rows import read_values
    from stillwatch.schema import write_whole
    from stillwatch.seal import canonical
    from stillwatch.share.client import open_holders

    rows, now = read_values(values), _now()
    lines = [dict(row) for row in rows]
    with open_holders(_open(home)) as holders:
        for kind in sorted({str(row["kind"]) for row in rows}):
            places = [k for k, row in enumerate(rows) if row["kind"] == kind]
            epoch, made = holders.tokens(kind, [str(rows[k]["value"]) for k in places], now=now)
            for k, token in zip(places, made, strict=True):
                lines[k] |= {"value": token, "epoch": epoch}
    write_whole(out, b"".join(canonical(line) + b"\n" for line in lines))
    print(f"{len(lines)} tokens in {out}")


@share.command()
def propose(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory of `scan`.")],
    home: HomeDir = _HOME,
) -> None:
    """Vote for templates that you suspect; ask which of yours at least two other members suspect.

    As tokens: nobody learns a template that it does not have, nor who else suspects one. Writes
    corroborated.jsonl for `scan --corroborated`.
    """
    from stillwatch.scanner import candidate_frames, corroborated_lines
    from stillwatch.schema import write_whole
    from stillwatch.share.client import open_holders

    opened, (suspected, asked) = _open(home), candidate_frames(run)
    with open_holders(opened) as holders:
        found = holders.propose(suspected, asked, now=_now())
    path = opened.pulled / "corroborated.jsonl"
    write_whole(path, corroborated_lines(found))
    print(f"{len(suspected)} suspected, {len(asked)} asked, {len(found)} corroborated: {path}")
