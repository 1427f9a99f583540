"""Every command is registered here, and every error becomes an exit code here."""

from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Annotated, Final, NoReturn

import typer

from stillwatch import __version__
from stillwatch.cli import (  # noqa: F401 - their commands join the group `case`
    case_evidence,
    case_refusals,
)
from stillwatch.cli.bench import bench
from stillwatch.cli.case import case
from stillwatch.cli.collect import collect
from stillwatch.cli.console import console
from stillwatch.cli.corpora import corpora
from stillwatch.cli.demo import demo
from stillwatch.cli.erase import erase
from stillwatch.cli.explain import explain
from stillwatch.cli.export import export
from stillwatch.cli.guard import guard
from stillwatch.cli.help_lines import teach
from stillwatch.cli.hub import hub
from stillwatch.cli.ingest import ingest
from stillwatch.cli.ownership import ownership
from stillwatch.cli.plan import plan
from stillwatch.cli.prove import prove
from stillwatch.cli.pseudonymize import pseudonymize
from stillwatch.cli.purge import purge
from stillwatch.cli.scan import scan
from stillwatch.cli.share import share
from stillwatch.cli.simulate import simulate
from stillwatch.cli.terminal import complain, survive_any_encoding
from stillwatch.cli.watch import watch
from stillwatch.errors import ConfigError, InputError, SchemaError, StillwatchError, why
from stillwatch.schema import EXIT_CLEAR, EXIT_INPUT, EXIT_USAGE

__all__ = ["app", "main", "run"]

_TYPERS_USAGE: Final = 2  # Typer ends wrong usage with 2, which is unreadable input here
_INTERRUPTED: Final = 130

# What a group of commands needs beside the main job, by its extra in pyproject.toml.
_EXTRAS: Final = {
    "bench": "bench",
    "case": "cases",
    "collect": "collect",
    "console": "console",
    "erase": "cases",
    "guard": "guard",
    "hub": "hub",
    "ownership": "policy",
    "prove": "prove",
    "purge": "cases",
    "share": "share",
    "simulate": "student",
    "watch": "watch",
}

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


# The list of commands has room for a line each; a longer first sentence would be cut there.
for _command, _line in (
    (scan, None),
    (watch, "Keep scanning as logs arrive."),
    (explain, None),
    (export, None),
    (demo, None),
    (ingest, None),
    (pseudonymize, "Replace identifiers by keyed hashes."),
    (collect, "Receive logs over HTTP as they happen."),
    (corpora, None),
    (purge, "Remove what is past its retention."),
    (erase, "Erase an account from cases and runs."),
    (console, "Show cases and evidence in a browser."),
    (plan, "Say what a scan of so many exchanges takes."),
):
    app.command(short_help=_line)(_command)
for _group, _name, _line in (
    (simulate, "simulate", "Make labelled traffic."),
    (ownership, "ownership", "Answer who is owned by listed parties."),
    (case, "case", "Open cases, decide, hear appeals."),
    (guard, "guard", "Act on accused campaigns, in shadow first."),
    (hub, "hub", "Run a hub between providers."),
    (share, "share", "Warn other providers, hear their warnings."),
    (prove, "prove", "Test whether a model was trained on another."),
    (bench, "bench", "Measure detection on simulated worlds."),
):
    app.add_typer(_group, name=_name, short_help=_line)
teach(app)


def main() -> NoReturn:
    """Run the command line and end the process with its exit code.

    An engine may turn Ctrl-C into an error of its own, so that it was pressed is noted here.
    """
    survive_any_encoding()
    interrupts: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        signal.default_int_handler(number, frame)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored: nohup
        signal.signal(signal.SIGINT, note)
    try:
        code = run(sys.argv[1:])
    except Exception:
        if not interrupts:
            raise
        code = _INTERRUPTED
    if interrupts and sys.argv[1:2] == ["scan"]:
        print("Stopped. The same command with --resume goes on from here.", file=sys.stderr)
    sys.exit(_INTERRUPTED if interrupts else code)


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
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(arguments[0]) if arguments else None
        if extra is None or (error.name or "stillwatch").startswith("stillwatch"):
            raise
        hint = f"pip install 'stillwatch[{extra}]'"
        complain(ConfigError(f"needs the package {error.name}", where=arguments[0], hint=hint))
        return EXIT_USAGE
    except OSError as error:
        complain(_unwritten(error))
        return EXIT_USAGE
    return EXIT_CLEAR


def _unwritten(error: OSError) -> StillwatchError:
    """Return what a reader can do about a failure of the machine; rooms report unread input."""
    refused = isinstance(error, PermissionError) or error.errno == errno.EROFS
    return StillwatchError(
        why(error),
        where="" if error.filename is None else str(error.filename),
        hint="give a folder that you may write to, or get the right to this one"
        if refused
        else "free disk space or see that the folder may be written; "
        "a scan then goes on with --resume",
    )
