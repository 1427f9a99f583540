"""For administrators: who may enter in which roles, and who read what."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from starlette.responses import Response

from stillwatch.console.desk import Desk, Visit
from stillwatch.console.entry import (
    Person,
    add_person,
    end_all,
    find_person,
    give_secret,
    lock_person,
    read_people,
    set_email,
    set_roles,
)
from stillwatch.console.factor import asked_of, drop_factor, holders
from stillwatch.console.home import reads
from stillwatch.console.paper import csv_of, go, show
from stillwatch.console.telling import Notice, tell, told_of_roles, told_person
from stillwatch.errors import ConfigError
from stillwatch.schema import from_micros
from stillwatch.schema.mailing import check_address

__all__ = ["add", "change", "reads_as_csv", "show_people", "show_reads"]

_PER_PAGE: Final = 100
_MOST_EXPORTED: Final = 100_000


def show_people(desk: Desk, visit: Visit) -> Response:
    """Show everyone who may enter."""
    return _people(desk, visit)


def add(desk: Desk, visit: Visit) -> Response:
    """Write down a person; show their first secret once, or nothing where a provider knows them."""
    subject = visit.form.get("subject", "").strip() or None
    email = _email(desk, visit)
    login = add_person(desk.home, visit.form.get("name", ""), visit.many.get("role", ()),
                       subject=subject)  # fmt: skip
    set_email(desk.home, login, email)
    now = desk.clock()
    notices = told_of_roles(desk.home, find_person(desk.home, login), (), by=visit.by, now=now)
    if subject:
        return tell(desk.post, go("/people"), notices, now=now)
    secret = give_secret(desk.home, login, now=now)
    return tell(desk.post, _people(desk, visit, secret, login), notices, now=now)


def change(desk: Desk, visit: Visit) -> Response:
    """Give a person other roles, another secret or address, keep them out, or let them in again."""
    person = find_person(desk.home, visit.form.get("login", ""))
    what, now = visit.form.get("what", ""), desk.clock()
    notices: list[Notice] = []
    secret: str | None = None
    if what == "roles":
        set_roles(desk.home, person.login, visit.many.get("role", ()))
        notices = told_of_roles(desk.home, find_person(desk.home, person.login), person.roles,
                                by=visit.by, now=now)  # fmt: skip
    elif what == "email":
        notices = _readdressed(desk, visit, person)
    elif what in ("lock", "unlock"):
        lock_person(desk.home, person.login, locked=what == "lock")
    elif what == "factor":
        drop_factor(desk.home, person.login)
        end_all(desk.home, person.login)
        said = "your second factor was removed"
        if asked_of(desk.second_factor, person.roles):
            # else whoever knows the password alone could set up a factor of their own
            secret = give_secret(desk.home, person.login, now=now)
            said = "your second factor was removed and you were given a new first password"
        notices = told_person(person, "factor", said, by=visit.by, now=now)
    elif what == "secret":
        secret = give_secret(desk.home, person.login, now=now)
        notices = told_person(person, "password", "you were given a new first password",
                              by=visit.by, now=now)  # fmt: skip
    else:
        raise ConfigError("expected roles, email, lock, unlock, secret or factor", where="what")
    answer = go("/people") if secret is None else _people(desk, visit, secret, person.login)
    return tell(desk.post, answer, notices, now=now)


def _email(desk: Desk, visit: Visit) -> str:
    """Return the address that a form gives, which must be one; nothing where nobody is told.

    Raises ConfigError: it is no address.
    """
    email = visit.form.get("email", "").strip() if desk.post is not None else ""
    if email:
        check_address(email, where="e-mail")
    return email


def _readdressed(desk: Desk, visit: Visit, person: Person) -> list[Notice]:
    """Write down another address; both the old and the new one are told."""
    email = _email(desk, visit)
    if desk.post is None:
        raise ConfigError("nobody is told by e-mail here", where="e-mail",
                          hint="docs/console.md says what mail.toml holds")  # fmt: skip
    if email == person.email:
        return []
    set_email(desk.home, person.login, email)
    what = "the address was changed at which this console tells you of changes"
    return [
        n
        for to in (person.email, email)
        for n in told_person(person, "email", what, by=visit.by, now=desk.clock(), email=to)
    ]


def _people(
    desk: Desk, visit: Visit, secret: str | None = None, who: str | None = None
) -> Response:
    everyone = read_people(desk.home)
    return show(
        desk, visit, "people.html.jinja", people=everyone, secret=secret, who=who,
        told=desk.post is not None, holders=holders(desk.home), outside=desk.home.oidc.is_file(),
        demanded=desk.second_factor,
        asked_of=lambda person: asked_of(desk.second_factor, person.roles),
    )  # fmt: skip


def show_reads(desk: Desk, visit: Visit) -> Response:
    """Show who asked for what, the newest first; an identifier narrows it to one account."""
    page = visit.number("page", 1, 1, 100_000)
    query = _reads(visit)
    with desk.home.engine.connect() as connection:
        total = connection.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0
        rows = connection.execute(
            query.order_by(reads.c.number.desc()).limit(_PER_PAGE).offset((page - 1) * _PER_PAGE)
        ).all()
    return show(
        desk, visit, "reads.html.jinja", total=total, page=page,
        pages=max(1, -(-total // _PER_PAGE)), login=visit.query.get("login", ""),
        subject=visit.query.get("subject", "").strip(),
        rows=[(from_micros(r.at_us), r.login, r.what, r.subject, r.outcome) for r in rows],
    )  # fmt: skip


def reads_as_csv(desk: Desk, visit: Visit) -> Response:
    """Return who asked for what as CSV, the newest 100,000."""
    with desk.home.engine.connect() as connection:
        rows = connection.execute(
            _reads(visit).order_by(reads.c.number.desc()).limit(_MOST_EXPORTED)
        ).all()
    return csv_of("reads.csv", ("at_utc", "login", "page", "of", "answer"),
                  [(from_micros(r.at_us).isoformat(), r.login, r.what, r.subject, r.outcome)
                   for r in rows])  # fmt: skip


def _reads(visit: Visit) -> sa.Select[Any]:
    query = sa.select(reads)
    if login := visit.query.get("login", ""):
        query = query.where(reads.c.login == login)
    if subject := visit.query.get("subject", "").strip():
        query = query.where(reads.c.subject == subject)
    return query
