"""`stillwatch guard undo`: what was decided is taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.guard.options import Key, Others

__all__ = ["undo"]


def undo(
    orders: Annotated[Path, typer.Option(metavar="FILE", help="The orders file.")],
    key: Key,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who takes it back.")],
    account: Annotated[
        str | None, typer.Option(metavar="ID", help="What was decided about this account.")
    ] = None,
    end_user: Annotated[
        str | None, typer.Option(metavar="ID", help="Of that account, this end user.")
    ] = None,
    campaign: Annotated[
        str | None, typer.Option(metavar="ID", help="What was decided about this campaign.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Everything decided since (ISO 8601).")
    ] = None,
    access: Annotated[
        bool, typer.Option("--access", help="Of the account, the ownership answer alone.")
    ] = False,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="End an undo that was named in the same way.")
    ] = False,
    snapshot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Say so where it knows nothing of that.")
    ] = None,
    trust: Others = None,
) -> None:
    """Take back what was decided; a running guard obeys within a second."""
    from stillwatch.cli.ordering import Wanted, order_undo
    from stillwatch.cli.terminal import Page

    wanted = Wanted(account, end_user, campaign, since, access)
    made, told = order_undo(
        orders, key, by, wanted, trust=trust or (), snapshot=snapshot, withdraw=withdraw
    )
    page = Page()
    count = len(made.in_force)
    stand = "1 undo stands" if count == 1 else f"{count} undos stand"
    page.sentence(f"Orders {made.version} in {orders}: {stand}.")
    for sentence in told:
        page.sentence(sentence)
