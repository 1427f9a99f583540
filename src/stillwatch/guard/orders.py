"""What a person on call has ordered since the snapshot was compiled: mode, canary, undo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from stillwatch.errors import SchemaError
from stillwatch.policy import MODES, Ladder
from stillwatch.schema.snapshot import subject_key

__all__ = ["ORDERS_KIND", "UNDO_KINDS", "Orders", "Undo", "orders_from_payload", "orders_payload",
           "undo_value"]  # fmt: skip

ORDERS_KIND: Final = "guard-orders"
_FORMAT: Final = 2
_READ: Final = (1, 2)  # the first had neither salts in undos nor what was withdrawn
UNDO_KINDS: Final = ("account", "access", "campaign", "since")


@dataclass(frozen=True)
class Undo:
    """Take back what was decided about a subject, its access, a campaign, or since a time in µs.

    ``value``: of *account* and *access* as `undo_value` gives it, of *campaign* its id, of *since*
    the time in µs.
    """

    kind: str
    value: str
    by: str
    at_us: int

    @property
    def salt_and_key(self) -> tuple[bytes | None, int]:
        """The salt and key of a subject; no salt (format 1) means that of the snapshot."""
        salt, _, key = self.value.rpartition(":")
        return (bytes.fromhex(salt) if salt else None), int(key, 16)


def undo_value(salt: bytes, account_id: str, end_user_id: str | None = None) -> str:
    """Return the value of an undo for a subject: salt and key, so that any snapshot's guard finds
    the subject, whichever key signed the snapshot."""
    return f"{salt.hex()}:{subject_key(salt, account_id, end_user_id):016x}"


@dataclass(frozen=True)
class Orders:
    """``mode`` and ``canary_percent`` stand above the snapshot's ladder where they are set.

    ``undone`` and ``withdrawn`` only grow; what of the first holds is `in_force`.
    """

    version: int = 0
    mode: str | None = None
    canary_percent: float | None = None
    undone: tuple[Undo, ...] = ()
    withdrawn: tuple[Undo, ...] = ()

    @property
    def in_force(self) -> tuple[Undo, ...]:
        """What was taken back and not withdrawn since; of one moment the undo holds."""
        last: dict[tuple[str, str], int] = {}
        for w in self.withdrawn:
            last[w.kind, w.value] = max(w.at_us, last.get((w.kind, w.value), w.at_us))
        return tuple(u for u in self.undone if u.at_us >= last.get((u.kind, u.value), u.at_us))

    def after(self, held: Orders, ladder: Ladder) -> Orders:
        """Return these orders as they follow on others that are in use under a ladder.

        1. What was taken back stays so, unless these withdraw it by name: a file that was lost and
           begun anew must not act again on whom a person had let go.
        2. Mode and canary of which these say nothing stay as they are.
        3. Where these are older (an old copy came back), nothing gets stricter: the milder mode and
           the smaller canary hold, those of the ladder where orders say nothing, and an undo that
           is withdrawn here alone stays.
        """
        undone = tuple(dict.fromkeys((*held.undone, *self.undone)))
        if self.version >= held.version:
            return replace(
                self,
                undone=undone,
                withdrawn=tuple(dict.fromkeys((*held.withdrawn, *self.withdrawn))),
                mode=held.mode if self.mode is None else self.mode,
                canary_percent=(
                    held.canary_percent if self.canary_percent is None else self.canary_percent
                ),
            )
        both = (self, held)
        return replace(
            self,
            undone=undone,
            withdrawn=held.withdrawn,
            mode=min((o.mode or ladder.mode for o in both), key=MODES.index),
            canary_percent=min(
                ladder.canary_percent if o.canary_percent is None else o.canary_percent
                for o in both
            ),
        )

    def with_undo(self, undo: Undo) -> Orders:
        """Return the next version, with one more thing taken back."""
        same = (w.at_us + 1 for w in self.withdrawn if _names(w) == _names(undo))
        late = replace(undo, at_us=max((undo.at_us, *same)))  # another's clock may be ahead
        return replace(self, version=self.version + 1, undone=(*self.undone, late))

    def without_undo(self, undo: Undo) -> Orders:
        """Return the next version, in which an undo of the same kind and value holds no more."""
        same = (u.at_us + 1 for u in self.undone if _names(u) == _names(undo))
        late = replace(undo, at_us=max((undo.at_us, *same)))
        return replace(self, version=self.version + 1, withdrawn=(*self.withdrawn, late))

    def with_mode(self, mode: str | None, canary_percent: float | None) -> Orders:
        """Return the next version, with another mode or canary."""
        return replace(
            self,
            version=self.version + 1,
            mode=mode if mode is not None else self.mode,
            canary_percent=canary_percent if canary_percent is not None else self.canary_percent,
        )


def orders_payload(orders: Orders) -> dict[str, Any]:
    """Return the JSON value of orders."""
    return {
        "format": _FORMAT,
        "version": orders.version,
        "mode": orders.mode,
        "canary_percent": orders.canary_percent,
        "undone": [[u.kind, u.value, u.by, u.at_us] for u in orders.undone],
        "withdrawn": [[u.kind, u.value, u.by, u.at_us] for u in orders.withdrawn],
    }


def orders_from_payload(value: Mapping[str, Any], *, where: str = "orders") -> Orders:
    """Return orders from their JSON value. Raises SchemaError."""
    try:
        if value["format"] not in _READ:
            raise SchemaError(f"format {value['format']!r}, expected {_FORMAT}", where=where)
        canary = value["canary_percent"]
        orders = Orders(
            int(value["version"]), value["mode"], None if canary is None else float(canary),
            _undos(value["undone"]), _undos(value.get("withdrawn", ())),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SchemaError(f"not orders ({type(error).__name__})", where=where) from error
    if orders.mode is not None and orders.mode not in MODES:
        raise SchemaError(
            f"mode is {orders.mode!r}, expected one of {', '.join(MODES)}", where=where
        )
    if any(u.kind not in UNDO_KINDS for u in (*orders.undone, *orders.withdrawn)):
        raise SchemaError(f"an undo of an unknown kind, expected {UNDO_KINDS}", where=where)
    return orders


def _undos(rows: Any) -> tuple[Undo, ...]:
    """Raises ValueError: the value of an undo is none of its kind."""
    undos = tuple(Undo(str(k), str(v), str(by), int(at)) for k, v, by, at in rows)
    for undo in undos:
        if undo.kind in ("account", "access"):
            undo.salt_and_key  # noqa: B018 – raises
        elif undo.kind == "since":
            int(undo.value)
    return undos


def _names(undo: Undo) -> tuple[str, str]:
    return undo.kind, undo.value
