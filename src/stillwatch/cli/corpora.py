"""`stillwatch corpora`: which prompt corpora worlds can be made of, and where to get them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.terminal import Page

__all__ = ["corpora"]


def corpora(
    folder: Annotated[
        Path | None,
        typer.Option(
            "--corpora",
            metavar="DIR",
            envvar="STILLWATCH_DATA",
            help="Data folder to look in.",
        ),
    ] = None,
) -> None:
    """List the prompt corpora that `simulate` knows.

    For each: split, what it is used for, languages, whether weights that are shipped may be fitted
    on it, whether it is there, licence, source. Nothing is fetched.
    """
    from stillwatch.simulate import known_corpora

    known = known_corpora()
    page = Page()
    page.table(
        ("corpus", "split", "use", "lang", "fit", "found", "licence", "source"),
        [
            (
                one.name,
                one.split if one.used else "none",
                one.use,
                " ".join(one.languages),
                "yes" if one.fit else "no",
                "yes" if one.found(folder) else "no",
                one.licence,
                one.source.removeprefix("https://"),
            )
            for one in known
        ],
    )
    there = sum(one.found(folder) for one in known)
    page.sentence(
        f"{there} of {len(known)} are in {folder}."
        if folder
        else "No folder was given: name one with --corpora or STILLWATCH_DATA."
    )
