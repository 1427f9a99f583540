"""What a person on call has ordered since the snapshot was compiled: mode, canary, undo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from stillwatch.errors import SchemaError
from stillwatch.policy import MODES

__all__ = ["ORDERS_KIND", "Orders", "Undo", "orders_from_payload", "orders_payload"]

ORDERS_KIND: Final = "guard-orders"
_FORMAT: Final = 1
_UNDO_KINDS: Final = ("account", "campaign", "since")


@dataclass(frozen=True)
class Undo:
    """Take back what was decided about a subject's key, a campaign's id, or since a time in µs."""

    kind: str
    value: str
    by: str
    at_us: int


@dataclass(frozen=True)
class Orders:
    """``mode`` and ``canary_percent`` stand above the snapshot's ladder where they are set."""

    version: int = 0
    mode: str | None = None
    canary_percent: float | None = None
    undone: tuple[Undo, ...] = ()

    def after(self, held: Orders) -> Orders:
        """Return these orders as they follow on others that are in use.

        What was taken back stays so: a file that was lost and begun anew must not act again on
        whom a person had let go. Where they are older (an old copy came back), nothing gets
        stricter either: the milder mode and the smaller canary hold.
        """
        undone = tuple(dict.fromkeys((*held.undone, *self.undone)))
        if self.version >= held.version:
            return replace(self, undone=undone)
        modes = [m for m in (self.mode, held.mode) if m is not None]
        canaries = [c for c in (self.canary_percent, held.canary_percent) if c is not None]
        return replace(
            self,
            undone=undone,
            mode=min(modes, key=MODES.index) if modes else None,
            canary_percent=min(canaries) if canaries else None,
        )

    def with_undo(self, undo: Undo) -> Orders:
        """Return the next version, with one more thing taken back."""
        return replace(self, version=self.version + 1, undone=(*self.undone, undo))

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
    }


def orders_from_payload(value: Mapping[str, Any], *, where: str = "orders") -> Orders:
    """Return orders from their JSON value. Raises SchemaError."""
    try:
        if value["format"] != _FORMAT:
            raise SchemaError(f"format {value['format']!r}, expected {_FORMAT}", where=where)
        mode, canary = value["mode"], value["canary_percent"]
        undone = tuple(Undo(str(k), str(v), str(by), int(at)) for k, v, by, at in value["undone"])
        orders = Orders(
            int(value["version"]), mode, None if canary is None else float(canary), undone
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SchemaError(f"not orders ({type(error).__name__})", where=where) from error
    if mode is not None and mode not in MODES:
        raise SchemaError(f"mode is {mode!r}, expected one of {', '.join(MODES)}", where=where)
    if any(u.kind not in _UNDO_KINDS for u in undone):
        raise SchemaError(f"an undo of an unknown kind, expected {_UNDO_KINDS}", where=where)
    return orders
