"""`stillwatch guard keygen`: the key that signs snapshots and orders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["keygen"]


def keygen(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key goes.")],
) -> None:
    """Make the key that signs snapshots and orders; its public half gets the ending .pub."""
    from stillwatch.cli.terminal import Page
    from stillwatch.seal import new_key

    new_key(out)
    Page().sentence(f"Private key in {out}, public key in {out}.pub.")
