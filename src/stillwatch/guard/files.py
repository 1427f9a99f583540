"""Signed files of the guard: read whole or not at all, checked before anything else is done."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from stillwatch.errors import EvidenceError, InputError, why
from stillwatch.guard.orders import ORDERS_KIND, Orders, orders_from_payload, orders_payload
from stillwatch.schema import EFFECTS_KIND, Judgement, judgement_of, write_whole
from stillwatch.schema.planting import PLANTING_KIND, Planting, planting_of
from stillwatch.schema.snapshot import (
    SNAPSHOT_KIND,
    Snapshot,
    snapshot_from_payload,
    snapshot_payload,
)
from stillwatch.seal import canonical, open_sealed, seal

__all__ = [
    "read_judgement", "read_orders", "read_planting", "read_snapshot", "write_effects",
    "write_orders", "write_snapshot",
]  # fmt: skip

_HINTS: Final = {
    SNAPSHOT_KIND: "compile it: stillwatch guard compile",
    ORDERS_KIND: "write them: stillwatch guard mode, or undo",
    EFFECTS_KIND: "write them: stillwatch case effects, and sign them: stillwatch guard publish",
    PLANTING_KIND: "write it: stillwatch prove canary order",
}


def write_snapshot(path: Path, snapshot: Snapshot, key: Ed25519PrivateKey) -> None:
    """Sign a snapshot and write it whole."""
    _write(path, snapshot_payload(snapshot), SNAPSHOT_KIND, key)


def read_snapshot(path: Path, keys: Sequence[Ed25519PublicKey]) -> Snapshot:
    """Read a snapshot.

    Raises:
        InputError: the file cannot be read.
        EvidenceError: not an envelope (half written, say), or not signed by a key that is trusted.
        SchemaError: signed, but not a snapshot of this format.
    """
    return snapshot_from_payload(_read(path, SNAPSHOT_KIND, keys), where=str(path))


def write_orders(path: Path, orders: Orders, key: Ed25519PrivateKey) -> None:
    """Sign orders and write them whole."""
    _write(path, orders_payload(orders), ORDERS_KIND, key)


def read_orders(path: Path, keys: Sequence[Ed25519PublicKey]) -> Orders:
    """Read orders; none were given where the file is missing. Raises as `read_snapshot`."""
    if not path.exists():
        return Orders()
    return orders_from_payload(_read(path, ORDERS_KIND, keys), where=str(path))


def write_effects(path: Path, held: Mapping[str, Any], key: Ed25519PrivateKey) -> None:
    """Sign what `stillwatch case effects` wrote and write it whole."""
    _write(path, dict(held), EFFECTS_KIND, key)


def read_judgement(path: Path, keys: Sequence[Ed25519PublicKey]) -> Judgement:
    """Read signed effects of cases. Raises as `read_snapshot`."""
    return judgement_of(_read(path, EFFECTS_KIND, keys), where=str(path))


def read_planting(path: Path, keys: Sequence[Ed25519PublicKey]) -> Planting:
    """Read a signed order to plant marks. Raises as `read_snapshot`."""
    return planting_of(_read(path, PLANTING_KIND, keys), where=str(path))


def _read(path: Path, kind: str, keys: Sequence[Ed25519PublicKey]) -> Any:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            "no such file" if isinstance(error, FileNotFoundError)
            else f"cannot be read ({why(error)})",
            where=str(path), hint=_HINTS[kind],
        ) from error  # fmt: skip
    try:
        return json.loads(open_sealed(data, kind, keys))
    except EvidenceError as error:
        hint = f"trust the key that signed it (--trust FILE.pub), or {_HINTS[kind]}"
        raise EvidenceError(error.message, where=str(path), hint=hint) from error
    except ValueError as error:
        raise EvidenceError("the signed payload is no JSON", where=str(path)) from error


def _write(path: Path, value: Any, kind: str, key: Ed25519PrivateKey) -> None:
    data = json.dumps(seal(canonical(value), kind, [key])).encode()
    write_whole(path, data)
