"""What the guard's commands of the moment join: orders, their lock, the keys that are trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stillwatch.cases import salt_of
from stillwatch.errors import ConfigError
from stillwatch.guard import (
    Orders,
    Undo,
    read_orders,
    read_snapshot,
    undo_value,
    write_orders,
)
from stillwatch.policy import MODES
from stillwatch.schema import locked, parse_time, to_micros
from stillwatch.schema.snapshot import Snapshot, subject_key
from stillwatch.seal import public_key, read_private_key, read_public_key

__all__ = ["Wanted", "order_mode", "order_undo"]


@dataclass(frozen=True)
class Wanted:
    """What is to be taken back. ``access``: of the account, the ownership answer alone."""

    account: str | None = None
    end_user: str | None = None
    campaign: str | None = None
    since: str | None = None
    access: bool = False

    def __post_init__(self) -> None:
        given = [x for x in (self.account, self.campaign, self.since) if x is not None]
        if len(given) != 1:
            raise ConfigError(
                "name exactly one thing", where="--account, --campaign, --since",
                hint="give one of them",
            )  # fmt: skip
        if not given[0].strip():
            raise ConfigError("names nothing", where="--account, --campaign, --since",
                              hint="give the name of one")  # fmt: skip
        if self.account is None and (self.access or self.end_user):
            raise ConfigError("is said of an account", where="--access, --end-user",
                              hint="give --account")  # fmt: skip


def order_mode(
    orders: Path, key: Path, mode: str, canary: float | None, trust: Sequence[Path] = ()
) -> Orders:
    """Write orders with another mode. Raises ConfigError for an unknown one."""
    if canary is not None and not 0 <= canary <= 100:
        raise ConfigError("a percentage lies between 0 and 100", where="--canary")
    if mode not in MODES:
        raise ConfigError("no such mode", where="MODE", hint=f"one of {', '.join(MODES)}")
    private = read_private_key(key)
    with locked(orders):
        made = _orders_at(orders, private, trust).with_mode(mode, canary)
        write_orders(orders, made, private)
    return made


def order_undo(
    orders: Path, key: Path, by: str, wanted: Wanted, *, trust: Sequence[Path] = (),
    snapshot: Path | None = None, withdraw: bool = False,
) -> tuple[Orders, list[str]]:  # fmt: skip
    """Write orders that take back one more thing, or withdraw that; return what to say of it.

    Orders that are begun anew by this stand in shadow: that something is taken back must not make
    a guard act. ``snapshot``: where it is given, what it does not know is said.

    Raises:
        ConfigError: nothing to withdraw, nobody who does it, a time that is still to come.
        EvidenceError: orders or snapshot are not signed by this key or a trusted one.
    """
    if not by.strip():
        raise ConfigError("names nobody", where="--by", hint="give the name of who takes it back")
    private = read_private_key(key)
    keys = [public_key(private), *(read_public_key(path) for path in trust)]
    told = [] if snapshot is None else _unknown(read_snapshot(snapshot, keys), wanted)
    with locked(orders):
        if not orders.exists():
            told.append("There were no orders there: these stand in shadow (see guard mode).")
        made = _orders_at(orders, private, trust, begin="shadow")
        undo = _undo_of(wanted, salt_of(private), by)
        if withdraw:
            held = [u for u in made.in_force if _is(u, undo, wanted, salt_of(private))]
            if not held:
                raise ConfigError(
                    "nothing of that is taken back", where=str(orders),
                    hint="name it as it was named to guard undo",
                )  # fmt: skip
            for value in sorted({u.value for u in held}):
                made = made.without_undo(Undo(undo.kind, value, by, undo.at_us))
        else:
            made = made.with_undo(undo)
        write_orders(orders, made, private)
    return made, told


def _orders_at(
    path: Path, key: Ed25519PrivateKey, trust: Sequence[Path], begin: str | None = None
) -> Orders:
    """Return the orders of a file; new ones are numbered by time and so follow on lost ones."""
    if not path.exists():
        return Orders(version=int(datetime.now(UTC).timestamp()), mode=begin)
    return read_orders(path, [public_key(key), *(read_public_key(one) for one in trust)])


def _undo_of(wanted: Wanted, salt: bytes, by: str) -> Undo:
    at = to_micros(datetime.now(UTC))
    if wanted.account is not None:
        kind = "access" if wanted.access else "account"
        return Undo(kind, undo_value(salt, wanted.account, wanted.end_user), by, at)
    if wanted.campaign is not None:
        return Undo("campaign", wanted.campaign, by, at)
    assert wanted.since is not None
    since = to_micros(parse_time(wanted.since, where="--since"))
    if since > at:
        raise ConfigError(
            "lies ahead: nothing has been decided since then", where="--since",
            hint="give a time that has passed; one that names no zone is taken as UTC",
        )  # fmt: skip
    return Undo("since", str(since), by, at)


def _is(held: Undo, asked: Undo, wanted: Wanted, own: bytes) -> bool:
    """Return whether an undo is of what is asked, whichever key's salt it was written with."""
    if held.kind != asked.kind:
        return False
    if wanted.account is None:
        return held.value == asked.value
    salt, key = held.salt_and_key
    return subject_key(salt or own, wanted.account, wanted.end_user) == key


def _unknown(snapshot: Snapshot, wanted: Wanted) -> list[str]:
    """Return a sentence where a snapshot knows nothing of what is named."""
    if wanted.campaign is not None:
        if all(c.campaign_id != wanted.campaign for c in snapshot.campaigns):
            return [f"The snapshot has no campaign {wanted.campaign}: see its name."]
    elif wanted.account is not None:
        whole = subject_key(snapshot.salt, wanted.account)
        key = subject_key(snapshot.salt, wanted.account, wanted.end_user)
        if wanted.end_user and whole not in snapshot.channels:
            return ["The snapshot knows that account as no channel: name it without --end-user."]
        if not {whole, key} & {*snapshot.accused, *snapshot.ordered, *snapshot.access}:
            return ["The snapshot has nothing against that account: see its name."]
    return []
