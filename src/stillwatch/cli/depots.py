"""What the commands of a depot join: keys, objects, a folder that a guard serves from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from stillwatch.cli.again import again_and_again
from stillwatch.cli.object_files import ObjectFiles
from stillwatch.errors import ConfigError, InputError, StillwatchError
from stillwatch.guard import read_orders, read_snapshot
from stillwatch.guard.depot import KINDS, Pointer, prune, publish, read_pointer, step_back
from stillwatch.guard.depot import pull as pull_one
from stillwatch.schema import EFFECTS_KIND, judgement_of, read_effects
from stillwatch.seal import canonical, public_key, read_private_key, read_public_key, seal

__all__ = ["is_depot", "prune_depot", "publish_files", "pull_files", "roll_back_depot"]


def is_depot(target: str) -> bool:
    """Return whether a target is an object store's address or a folder, and no snapshot file."""
    return "://" in target or Path(target).is_dir()


def publish_files(
    depot: str, key: Path, by: str, snapshot: Path | None, orders: Path | None,
    effects: Path | None,
) -> Iterator[Pointer]:  # fmt: skip
    """Publish what is given; each file is read and checked as a guard would first. Raises so."""
    private = read_private_key(key)
    keys = [public_key(private)]
    ready: list[tuple[str, bytes]] = []
    if snapshot is not None:
        read_snapshot(snapshot, keys)
        ready.append(("snapshot", snapshot.read_bytes()))
    if orders is not None:
        if not orders.exists():
            raise InputError("is not there", where=str(orders))
        read_orders(orders, keys)
        ready.append(("orders", orders.read_bytes()))
    if effects is not None:
        held = read_effects(effects)
        judgement_of(held, where=effects.name)
        sealed = seal(canonical(held), EFFECTS_KIND, [private])
        ready.append(("effects", json.dumps(sealed).encode()))
    if not ready:
        raise ConfigError("give --snapshot, --orders or --effects", where="guard publish")
    files = ObjectFiles(depot)
    for kind, data in ready:
        yield publish(files, kind, data, key=private, by=by, now=datetime.now(UTC))


def roll_back_depot(depot: str, kind: str, key: Path | None, by: str) -> Pointer:
    """Step a depot back. Raises ConfigError: no key; else as `step_back`."""
    if key is None:
        raise ConfigError("a step back is signed", where="--key", hint="give --key and --by")
    return step_back(ObjectFiles(depot), kind, key=read_private_key(key), by=by)


def prune_depot(depot: str, key: Path, by: str, keep: int) -> Iterator[str]:
    """Remove old versions of every kind that was published; say what is gone. As `prune`."""
    private, files = read_private_key(key), ObjectFiles(depot)
    for kind in KINDS:
        if read_pointer(files, kind, [public_key(private)]) is not None:
            pointer, gone = prune(files, kind, key=private, by=by, keep=keep)
            yield f"{kind}: {len(gone):,} objects removed; {len(pointer.versions):,} left."


def pull_files(depot: str, trust: list[Path], folder: Path, every_s: float) -> Iterator[str]:
    """Pull all kinds once, or for ever; yield what changed and, going on, what failed.

    Raises, where it is to be done once, what the first kind that does not hold raises.
    """
    keys = [read_public_key(path) for path in trust]
    folder.mkdir(parents=True, exist_ok=True)
    files: ObjectFiles | None = None

    def attempt() -> Iterator[str]:
        nonlocal files
        files = files or ObjectFiles(depot)
        yield from _pull_all(files, keys, folder)

    yield from again_and_again(attempt, every_s)


def _pull_all(files: ObjectFiles, keys: list[Ed25519PublicKey], folder: Path) -> Iterator[str]:
    """Pull every kind; one that does not hold keeps no other back, and is raised at the end."""
    problem: StillwatchError | None = None
    for kind in KINDS:
        try:
            pointer = pull_one(files, kind, keys, folder)
        except StillwatchError as error:
            problem = problem or error
            continue
        if pointer is not None:
            yield f"{kind}.json is {pointer.version.file} (step {pointer.serial})."
    if problem is None and not any((folder / f"{kind}.current.json").exists() for kind in KINDS):
        problem = InputError(
            "nothing was published there", where="DEPOT",
            hint="see its address, or publish to it: stillwatch guard publish",
        )  # fmt: skip
    if problem is not None:
        raise problem
