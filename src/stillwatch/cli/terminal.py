"""Results on standard output, complaints on standard error; nothing hostile reaches either."""

from __future__ import annotations

import shlex
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TextIO

from stillwatch.errors import StillwatchError

__all__ = ["Page", "command", "complain", "number_of", "printable", "survive_any_encoding"]

_WIDEST_TEXT: Final = 100
_WIDEST_TABLE: Final = 200


def printable(text: str) -> str:
    """Return the text with every control, hidden or reordering character as ⟨U+XXXX⟩.

    Spaces that do not break become plain ones: a reader may `grep` for "2.1 %".
    """
    text = text.replace("\u00a0", " ")
    if text.isascii() and text.isprintable():
        return text
    from stillwatch.report import visible  # costs 0.2 s, which a plain text need not pay

    return visible(text)


def number_of(count: int, one: str) -> str:
    """Return "1 row", "2,000 rows"."""
    return f"{count:,} {one}{'' if count == 1 else 's'}"


def complain(error: StillwatchError) -> None:
    """Print where an error happened, what it was and what to do next, to standard error."""
    where = f"{error.where}: " if error.where else ""
    print(f"Error: {printable(where + error.message)}", file=sys.stderr)
    hint = error.hint or _next_of(error.__cause__)
    if hint:
        print(f"Next: {printable(hint)}", file=sys.stderr)


def _next_of(cause: BaseException | None) -> str:
    """Return what to do about a file that cannot be had, where the error itself does not say."""
    if isinstance(cause, FileNotFoundError):
        return "see that it is spelled right and there, from the folder that you are in"
    if isinstance(cause, PermissionError):
        return "get the right to read it, or run this as somebody who has it"
    if isinstance(cause, IsADirectoryError):
        return "give a file: this is a folder"
    return ""


def command(*arguments: str | Path) -> str:
    """Return a stillwatch command line that can be pasted into the shell in use.

    An argument that would have to be escaped to be shown is left for the reader to fill in.
    """
    typed = Path(sys.argv[0])
    found = typed.name == "stillwatch" and shutil.which("stillwatch") is None
    words = [str(typed) if found else "stillwatch"]
    words += [
        shlex.quote(argument) if printable(argument) == argument else "…"
        for argument in map(str, arguments)
    ]
    return " ".join(words)


def survive_any_encoding() -> None:
    """Let a terminal that knows few characters show question marks instead of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


class Page:
    """What a command answers, printed to standard output as it comes.

    On a terminal sentences are wrapped and headings are bold; elsewhere a sentence is one line,
    so that `grep` finds it whole.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        from rich.console import Console

        out = file or sys.stdout
        self._terminal = out.isatty()
        self._empty = True
        self._console = Console(
            file=out,
            markup=False,  # an account may be named [red]
            emoji=False,
            highlight=False,
            width=None if self._terminal else _WIDEST_TABLE,
        )

    def heading(self, text: str) -> None:
        """Print a heading, after an empty line if something stands above it."""
        if not self._empty:
            self._console.print()
        self._print(text, "", "bold")

    def sentence(self, text: str, *, style: str = "") -> None:
        """Print a paragraph."""
        self._print(text, "", style)

    def point(self, text: str) -> None:
        """Print a paragraph with a dash before it."""
        self._print(text, "- ", "")

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows under heads; a head that begins with ">" has its numbers to the right."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for head in heads:
            right = head.startswith(">")
            table.add_column(
                head.removeprefix(">"), justify="right" if right else "left", overflow="fold"
            )
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        self._console.print(table)

    def _print(self, text: str, mark: str, style: str) -> None:
        shown = printable(text)
        if self._terminal:
            width = min(self._console.width, _WIDEST_TEXT)
            shown = textwrap.fill(
                shown,
                width,
                initial_indent=mark,
                subsequent_indent=" " * len(mark),
                break_long_words=False,
                break_on_hyphens=False,
            )
        else:
            shown = mark + shown
        options: dict[str, Any] = {"soft_wrap": True, "style": style or None}
        self._console.print(shown, **options)
        self._empty = False
