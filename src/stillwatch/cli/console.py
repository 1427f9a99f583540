"""`stillwatch console`: cases and decisions in a browser."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.listening import BehindProxy, Certificate, Host, Port, PrivateKey

__all__ = ["console"]


def console(
    run: Annotated[Path, typer.Option(metavar="DIR", help="Run directory that a scan wrote.")],
    book: Annotated[
        str, typer.Option(metavar="FILE", help="Case database: a file, or a PostgreSQL URL.")
    ],
    home: Annotated[
        Path, typer.Option(metavar="DIR", help="The console's own folder; made if it is missing.")
    ] = Path("stillwatch-console"),
    people: Annotated[
        str | None,
        typer.Option(metavar="URL", help="PostgreSQL for people and sessions, if not the folder."),
    ] = None,
    host: Host = "127.0.0.1",
    port: Port = 6300,
    name: Annotated[
        str | None, typer.Option(metavar="HOST", help="What browsers call this host.")
    ] = None,
    certificate: Certificate = None,
    private_key: PrivateKey = None,
    behind_proxy: BehindProxy = False,
    administrator: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Make this person an administrator; print a password."),
    ] = None,
    require_second_factor: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE", help="Role that needs a second factor, or all; may be given again."
        ),
    ] = None,
    standing: Annotated[
        list[str] | None,
        typer.Option(metavar="WORD", help="Campaigns to open; may be given again. Else accused."),
    ] = None,
    audit: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Labelled sample of `case sample`.")
    ] = None,
    attachments: Annotated[
        int, typer.Option(metavar="MB", min=1, max=100, help="Largest file attached to a case.")
    ] = 20,
    terms: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Terms of judgement in TOML, if not the shipped."),
    ] = None,
) -> None:
    """Show cases, decisions and evidence in a browser, for the people who must decide.

    The run's campaigns are brought into the case database first, as `case open` does. The first
    time, name the administrator.
    """
    from stillwatch.cases import open_book, open_cases, read_design, read_labels, read_terms
    from stillwatch.cli.terminal import Page
    from stillwatch.console import (
        Desk,
        Listen,
        make_administrator,
        open_home,
        read_people,
        read_post,
        roles_named,
        send,
        serve,
        told_of_administrator,
    )
    from stillwatch.console.serving import hosts_of
    from stillwatch.errors import ConfigError
    from stillwatch.schema import demand_free
    from stillwatch.store import open_run
    from stillwatch.store.index import open_index

    demanded = roles_named(require_second_factor or [])  # wrong, it is told before anything is made
    demand_free(host, port)
    page, held, opened = Page(), open_run(run), open_book(book)
    folder = open_home(home, people)
    post = read_post(folder)
    if audit is not None:
        read_design(audit)
        read_labels(audit / "sample.csv")
    if administrator is not None:
        secret = make_administrator(folder, administrator, now=datetime.now(UTC))
        page.sentence(f"{administrator} logs in with {secret} within the hour, and changes it.")
        if post is not None:
            now = datetime.now(UTC)
            send(post, told_of_administrator(folder, administrator, now=now), now=now)
    elif not read_people(folder):
        raise ConfigError("nobody may enter yet", where=str(home),
                          hint="name the first person: --administrator NAME")  # fmt: skip
    listen = Listen(host, port, name, certificate, private_key, behind_proxy)
    for seen in open_cases(opened, held, now=datetime.now(UTC),
                           standings=tuple(standing or ["accused"])):  # fmt: skip
        if seen.change != "same":
            page.point(f"{seen.case_id}: {seen.change}")
    index = open_index(held, folder.index, salt=folder.key("accounts"))
    desk = Desk(
        held, index, opened, read_terms(terms), folder, lambda: datetime.now(UTC),
        hosts_of(listen), listen.secure, audit, attachments * 1_000_000, demanded, post,
    )  # fmt: skip
    desk.warm()
    scheme = "https" if certificate else "http"
    page.sentence(f"The console is at {scheme}://{name or host}:{port}/ until you press Ctrl-C.")
    serve(desk, listen)
