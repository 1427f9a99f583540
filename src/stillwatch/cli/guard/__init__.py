"""`stillwatch guard`: compile what a scan found, preview it, serve it, take it back.

One file a command; what they join is in `guarding`, `following`, `depots`, `citing`, `ordering`.
"""

from __future__ import annotations

from typing import Any

import typer

from stillwatch.cli.guard.compile import compile_
from stillwatch.cli.guard.explain import explain
from stillwatch.cli.guard.follow import follow
from stillwatch.cli.guard.keygen import keygen
from stillwatch.cli.guard.mode import mode
from stillwatch.cli.guard.preview import preview
from stillwatch.cli.guard.prune import prune
from stillwatch.cli.guard.publish import publish
from stillwatch.cli.guard.pull import pull
from stillwatch.cli.guard.rollback import rollback
from stillwatch.cli.guard.serve import serve
from stillwatch.cli.guard.undo import undo

__all__ = ["guard"]

guard = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None,
    help="Act on accused campaigns in front of the model: graduated, reversible.",
)  # fmt: skip

_COMMANDS: tuple[Any, ...] = (
    keygen, compile_, follow, rollback, publish, prune, pull, preview, explain, mode, undo, serve,
)  # fmt: skip
for _command in _COMMANDS:
    guard.command(_command.__name__.rstrip("_"))(_command)
