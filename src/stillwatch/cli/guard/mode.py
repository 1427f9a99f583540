"""`stillwatch guard mode`: a running guard is switched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.guard.options import Key, Others

__all__ = ["mode"]


def mode(
    wanted: Annotated[str, typer.Argument(metavar="MODE", help="off, shadow or enforce.")],
    orders: Annotated[Path, typer.Option(metavar="FILE", help="The orders file.")],
    key: Key,
    canary: Annotated[
        float | None, typer.Option(metavar="PERCENT", help="Share of accounts enforced upon.")
    ] = None,
    trust: Others = None,
) -> None:
    """Switch a running guard: off allows everything, shadow only writes what it would do."""
    from stillwatch.cli.ordering import order_mode
    from stillwatch.cli.terminal import Page

    made = order_mode(orders, key, wanted, canary, trust or ())
    share = "" if made.canary_percent is None else f", canary {made.canary_percent:g} %"
    Page().sentence(f"Orders {made.version} in {orders}: mode {made.mode}{share}.")
