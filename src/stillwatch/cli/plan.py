"""`stillwatch plan`: what a scan will take, before it is begun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from stillwatch.scanner import Range

__all__ = ["plan"]


def plan(
    rows_per_day: Annotated[float, typer.Option(metavar="N", help="Exchanges a day, such as 2e6.")],
    accounts: Annotated[float, typer.Option(metavar="N", help="Accounts that send them.")],
    days: Annotated[int, typer.Option(metavar="N", min=1, help="Days in one scan.")] = 1,
    engine: Annotated[
        str, typer.Option(metavar="ENGINE", help="Only engines that were measured: local.")
    ] = "local",
    price: Annotated[
        float | None,
        typer.Option(
            metavar="PRICE", min=0, help="An hour of a machine of two cores, in any money."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a scan of so many exchanges takes: hours, memory, disk.

    From a model fitted to measured runs (docs/scaling.md); ranges are its largest error.
    """
    from stillwatch.scanner import plan as planned

    made = planned(rows_per_day, accounts, days=days, engine=engine, price_per_hour=price)
    if as_json:
        import json

        print(json.dumps(made.as_dict(), indent=1))
        return
    print(f"One scan of {made.exchanges:,} exchanges of {made.accounts:,} accounts:")
    print(f"  cores   {made.cores}, as measured; what more of them give was not measured")
    print(f"  hours   {_told(made.hours)}, {_told(made.cpu_hours)} of CPU")
    print(f"  memory  {_told(made.memory_gb)} GB")
    print(f"  disk    {_told(made.disk_gb)} GB while it runs, {_told(made.left_gb)} GB afterwards")
    if made.cost is not None:
        print(f"  cost    {_told(made.cost)}, in the money of the price")
    if made.beyond > 1:
        print(f"This is {made.beyond:.1f} times the largest measured run: extrapolated in a line.")
    if made.unlike:
        print("Far fewer or more exchanges an account than any measured run had.")
    print(f"From {made.source}.")


def _told(span: Range) -> str:
    return f"{_rounded(span.low)} to {_rounded(span.high)} (expected {_rounded(span.expected)})"


def _rounded(value: float) -> str:
    """Return a number with two significant digits and no exponent."""
    digits = float(f"{value:.2g}")
    return f"{digits:,.0f}" if digits >= 10 else f"{digits:g}"
