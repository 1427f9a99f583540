"""`stillwatch plan`: what a scan will take, before it is begun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from stillwatch.scanner import EnginePlan, Plan, Range

__all__ = ["plan"]

_NEAR = 50  # times what was measured, beyond which `local` refuses


def plan(
    rows_per_day: Annotated[float, typer.Option(metavar="N", help="Exchanges a day, such as 2e6.")],
    accounts: Annotated[float, typer.Option(metavar="N", help="Accounts that send them.")],
    days: Annotated[int, typer.Option(metavar="N", min=1, help="Days in one scan.")] = 1,
    engine: Annotated[
        str, typer.Option(metavar="ENGINE", help="Engines that were measured: local, spark, sail.")
    ] = "local",
    cores: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Cores of an engine's workers; without it as many as are of use.",
        ),
    ] = None,
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
    from stillwatch.errors import ConfigError
    from stillwatch.scanner import Plan, plan_on_engine
    from stillwatch.scanner import plan as planned

    made: Plan | EnginePlan
    if engine == "local":
        if cores is not None:
            raise ConfigError("cores are those of workers", where="--cores", hint="leave it out")
        made = planned(rows_per_day, accounts, days=days, price_per_hour=price)
    else:
        made = plan_on_engine(
            rows_per_day, accounts, engine=engine, days=days, cores=cores, price_per_hour=price
        )
    if as_json:
        import json

        print(json.dumps(made.as_dict(), indent=1))
        return
    print(f"One scan of {made.exchanges:,} exchanges of {made.accounts:,} accounts:")
    if isinstance(made, Plan):
        _of_machine(made)
    else:
        _of_engine(made)
    if made.unlike:
        print("Far fewer or more exchanges an account than any measured run had.")
    print(f"From {made.source}.")


def _of_machine(made: Plan) -> None:
    print(f"  cores   {made.cores}, as measured; what more of them give was not measured")
    print(f"  hours   {_told(made.hours)}, {_told(made.cpu_hours)} of CPU")
    print(f"  memory  {_told(made.memory_gb)} GB")
    print(f"  disk    {_told(made.disk_gb)} GB while it runs, {_told(made.left_gb)} GB afterwards")
    if made.cost is not None:
        print(f"  cost    {_told(made.cost)}, in the money of the price")
    if made.beyond > 1:
        print(f"This is {made.beyond:.1f} times the largest measured run: extrapolated in a line.")


def _of_engine(made: EnginePlan) -> None:
    print(f"  cores    {made.cores:,} of workers, {made.node_cores} of the node that scans")
    print(f"  hours    {_told(made.hours)}")
    print(f"  CPU      {_told(made.workers_cpu_hours)} hours of workers,")
    print(f"           {_told(made.node_cpu_hours)} of the node, which no engine shortens")
    print(f"  memory   {_rounded(made.worker_gb_per_core)} GB a core of workers,")
    print(f"           {_told(made.node_memory_gb)} GB of the node; --memory bounds part of it")
    shuffle = "not measured, this engine does not tell"
    print(f"  shuffle  {shuffle if made.shuffle_gb is None else _told(made.shuffle_gb) + ' GB'}")
    print(f"  disk     {_told(made.disk_gb)} GB that all share,")
    print(f"           {_told(made.left_gb)} GB afterwards")
    if made.cost is None:
        print("  cost     give --price: an hour of a machine of two cores")
    else:
        print(f"  cost     {_told(made.cost)}, in the money of the price")
    print("Workers of two cores were measured: that more share the work evenly is assumed.")
    if made.beyond > 1:
        print(
            f"This is {made.beyond:,.1f} times what was measured, at most "
            f"{made.largest_exchanges:,} exchanges and {made.largest_accounts:,} accounts:\n"
            "extrapolated in a line, its range widened by the largest error for each tenfold."
        )
    if made.beyond > _NEAR:
        print(
            "Nothing near this size was run. Read it as an order of magnitude, and measure first."
        )


def _told(span: Range) -> str:
    return f"{_rounded(span.low)} to {_rounded(span.high)} (expected {_rounded(span.expected)})"


def _rounded(value: float) -> str:
    """Return a number with two significant digits and no exponent."""
    digits = float(f"{value:.2g}")
    return f"{digits:,.0f}" if digits >= 10 else f"{digits:g}"
