"""Every command is registered here, and every error becomes an exit code here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Final, NoReturn

import typer

from stillwatch import __version__
from stillwatch.cli.demo import demo
from stillwatch.cli.explain import explain
from stillwatch.cli.ingest import ingest
from stillwatch.cli.scan import scan
from stillwatch.cli.simulate import simulate
from stillwatch.cli.terminal import complain, survive_any_encoding
from stillwatch.errors import InputError, SchemaError, StillwatchError
from stillwatch.schema import EXIT_CLEAR, EXIT_INPUT, EXIT_USAGE

__all__ = ["app", "main", "run"]

_TYPERS_USAGE: Final = 2  # Typer ends wrong usage with 2, which is unreadable input here

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would print the values of local variables
    rich_markup_mode=None,  # plain help: half the time, and the same text in docs/commands.md
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"stillwatch {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """Find adversarial distillation of a language model in the provider's own logs.

    Exit codes: 0 nothing accused, 1 usage or configuration, 2 unreadable input,
    3 at least one campaign accused, 130 interrupted.
    """


for _command in (scan, explain, demo, ingest, simulate):
    app.command()(_command)


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    survive_any_encoding()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; print what it raises, where and what next."""
    try:
        app(args=list(arguments), prog_name="stillwatch")
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else EXIT_CLEAR
        return EXIT_USAGE if code == _TYPERS_USAGE else code
    except StillwatchError as error:
        complain(error)
        return EXIT_INPUT if isinstance(error, InputError | SchemaError) else EXIT_USAGE
    return EXIT_CLEAR
