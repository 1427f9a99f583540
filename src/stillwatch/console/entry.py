"""People and their sessions: local passwords for the first hour, an identity provider after it.

Times and lengths follow OWASP ASVS 4.0.3, chapters 2 and 3; docs/console-security.md says which
requirement each constant answers.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from stillwatch.cases import check_person, plain_name
from stillwatch.console.factor import drop_factor, takes
from stillwatch.console.guesses import found_early
from stillwatch.console.home import Home, failures, people, sessions
from stillwatch.console.rights import ROLES
from stillwatch.errors import ConfigError, NotPermitted
from stillwatch.schema import to_micros
from stillwatch.schema.mailing import check_address

try:
    from argon2 import PasswordHasher
    from argon2.exceptions import Argon2Error, InvalidHashError
except ImportError as error:  # pragma: no cover
    raise ConfigError("needs the package argon2-cffi", where="console",
                      hint="pip install 'stillwatch[console]'") from error  # fmt: skip

__all__ = [
    "FIRST_HOUR", "IDLE", "LONGEST", "Person", "Session", "add_person", "begin", "change_secret",
    "check_secret", "end", "end_all", "find_person", "give_secret", "lock_person",
    "log_in", "make_administrator", "of_subject",
    "read_people",
    "resume", "same", "set_email", "set_roles",
]  # fmt: skip

FIRST_HOUR: Final = timedelta(hours=1)  # a secret that this program made ends by itself
IDLE: Final = timedelta(minutes=30)
LONGEST: Final = timedelta(hours=12)
_TRIES: Final = 10  # within _WINDOW; then not even the right password opens
_WINDOW: Final = timedelta(minutes=15)
_SHORTEST, _LONGEST_SECRET = 12, 128
_TOO_KNOWN: Final = ("password", "stillwatch", "123456", "qwerty", "letmein", "abcdef", "111111")


@dataclass(frozen=True)
class Person:
    """Someone who may enter. ``must_change``: the secret is the program's, not yet theirs.

    ``email``: where they are told of changes, or nothing.
    """

    login: str
    name: str
    roles: tuple[str, ...]
    must_change: bool
    locked: bool
    outside: bool
    email: str = ""


@dataclass(frozen=True)
class Session:
    """Someone inside; ``csrf`` must come back with everything that changes something.

    ``second``: a second factor was shown when it began.
    """

    person: Person
    csrf: str
    began: datetime
    digest: str
    second: bool


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobody() -> str:
    return str(_hasher().hash(secrets.token_hex(16)))


def make_administrator(home: Home, name: str, *, now: datetime) -> str:
    """Make the first person, or give an administrator another secret; return the secret.

    It works for an hour and must be changed at once. Raises ConfigError: no name.
    """
    login = add_person(home, name, ("admin", "analyst"), replace=True)
    drop_factor(home, login)  # whoever runs the server may: the way back from a lost device
    secret = secrets.token_urlsafe(18)
    _keep(home, login, secret, to_micros(now + FIRST_HOUR))
    return secret


def add_person(
    home: Home, name: str, roles: Iterable[str], *, subject: str | None = None,
    replace: bool = False,
) -> str:  # fmt: skip
    """Write down a person; return the login, which is the name as `cases.plain_name` reads it.

    Two people who look alike are one person to the two-person rule, so they cannot both be here.
    Raises ConfigError: no name or role, or the name is taken.
    """
    check_person(name)
    held = _roles(roles)
    plain = plain_name(name)
    with home.engine.begin() as connection:
        known = connection.scalar(sa.select(people.c.login).where(people.c.plain_name == plain))
        if known is not None and not replace:
            raise ConfigError("somebody has that name already", where="name",
                              hint="one person has one entry; give it another role")  # fmt: skip
        if known is not None:
            connection.execute(
                people.update().where(people.c.login == known).values(roles=held, locked=False)
            )
        else:
            connection.execute(people.insert().values(
                login=plain, name=" ".join(name.split()), plain_name=plain, roles=held,
                subject=subject, locked=False,
            ))  # fmt: skip
    return plain


def set_roles(home: Home, login: str, roles: Iterable[str]) -> None:
    """Give a person other roles; what they see changes with their next click.

    Raises ConfigError: no such role, or nobody would be left to name people.
    """
    held = _roles(roles)
    with home.engine.begin() as connection:
        connection.execute(people.update().where(people.c.login == login).values(roles=held))
        _demand_admin(connection)


def set_email(home: Home, login: str, email: str) -> None:
    """Write down where a person is told of changes; nothing: nowhere.

    Raises ConfigError: it is no address.
    """
    if email:
        check_address(email, where="e-mail")
    with home.engine.begin() as connection:
        connection.execute(
            people.update().where(people.c.login == login).values(email=email or None)
        )


def lock_person(home: Home, login: str, *, locked: bool) -> None:
    """Keep a person out, ending their sessions, or let them in again.

    Raises ConfigError: nobody would be left to name people.
    """
    with home.engine.begin() as connection:
        connection.execute(people.update().where(people.c.login == login).values(locked=locked))
        connection.execute(sessions.delete().where(sessions.c.login == login))
        _demand_admin(connection)


def give_secret(home: Home, login: str, *, now: datetime) -> str:
    """Return a new secret of a person, which works for an hour and must be changed."""
    secret = secrets.token_urlsafe(18)
    _keep(home, login, secret, to_micros(now + FIRST_HOUR))
    return secret


def change_secret(home: Home, person: Person, *, old: str, new: str, now: datetime) -> None:
    """Set a person's own password and end their other sessions.

    Raises NotPermitted: the old one is wrong. ConfigError: the new one is too short, too long, or
    among the first that are tried (`guesses`).
    """
    row = _try(home, person.login, old, code=None, now=now)
    if not _SHORTEST <= len(new) <= _LONGEST_SECRET:
        raise ConfigError(f"expected {_SHORTEST} to {_LONGEST_SECRET} characters", where="password")
    plain = plain_name(new)
    if new == old or any(w in plain for w in (*_TOO_KNOWN, person.login)) or len(set(new)) < 5:
        raise ConfigError("expected a password that is not easily tried", where="password",
                          hint="no name, no usual word, not the last one")  # fmt: skip
    if reason := found_early(new, person.login):
        raise ConfigError(f"that password is among those that are tried first: {reason}",
                          where="password", hint="take several words that do not belong together, "
                          "or one that a password manager makes")  # fmt: skip
    _keep(home, person.login, new, None, held=row.secret)


def log_in(home: Home, login: str, secret: str, *, code: str = "", now: datetime) -> Person:
    """Return the person whose password this is, and whose code, where they have a second factor.

    Raises NotPermitted: it is not, or there were ten failures within 15 minutes. The answer and its
    time are the same for a login that does not exist, and for a code that does not fit. A password
    that is among the first that are tried opens for an hour from now on, and must be changed.
    """
    row = _try(home, login, secret, code=code, now=now)
    early = row.secret_until_us is None and found_early(secret, row.login) is not None
    kept = (people.c.login == row.login) & (people.c.secret == row.secret)
    with home.engine.begin() as connection:
        if early:
            connection.execute(
                people.update()
                .where(kept, people.c.secret_until_us.is_(None))
                .values(secret_until_us=to_micros(now + FIRST_HOUR))
            )
        if connection.scalar(sa.select(sa.func.count()).where(kept)) != 1:
            raise _not_right()  # it was changed meanwhile, which ended all sessions that it began
    return replace(_person(row), must_change=early or row.secret_until_us is not None)


def check_secret(home: Home, person: Person, secret: str, *, now: datetime) -> None:
    """Raise NotPermitted unless the password is this person's, who is inside; it is a try."""
    _try(home, person.login, secret, code=None, now=now)


def _try(home: Home, login: str, secret: str, *, code: str | None, now: datetime) -> sa.Row[Any]:
    """Return the row of the person whose password this is, as it was compared."""
    login = plain_name(login)[:200]
    since = to_micros(now - _WINDOW)
    with home.engine.begin() as connection:
        connection.execute(failures.delete().where(failures.c.at_us <= since))
        tries = connection.scalar(
            sa.select(sa.func.count()).where(failures.c.login == login)
        ) or 0  # fmt: skip
        row = connection.execute(sa.select(people).where(people.c.login == login)).one_or_none()
        right = _verify(row.secret if row is not None and row.secret else _nobody(), secret)
        lapsed = row is not None and row.secret_until_us is not None and (
            row.secret_until_us < to_micros(now)
        )  # fmt: skip
        good = right and row is not None and bool(row.secret) and not row.locked and not lapsed
    barred = tries >= _TRIES
    if good and not barred and code is not None:
        good = takes(home, login, code, now=now)
    if not good:  # who knows the secret and is barred does not bar themselves for longer
        with home.engine.begin() as connection:
            connection.execute(failures.insert().values(login=login, at_us=to_micros(now)))
    if not good or barred or row is None:
        raise _not_right()
    return row


def _not_right() -> NotPermitted:
    return NotPermitted(
        "name, password or code are not right, or there were too many tries", where="log in",
        hint="wait 15 minutes, or ask whoever runs the console for a new secret",
    )  # fmt: skip


def of_subject(home: Home, subject: str) -> Person | None:
    """Return the person whom an identity provider calls by this subject."""
    with home.engine.connect() as connection:
        row = connection.execute(
            sa.select(people).where(people.c.subject == subject)
        ).one_or_none()  # fmt: skip
    return None if row is None or row.locked else _person(row)


def begin(home: Home, person: Person, *, now: datetime, second: bool = False) -> str:
    """Begin a session and return its token, of which only a digest is kept."""
    token = secrets.token_urlsafe(32)
    with home.engine.begin() as connection:
        old = to_micros(now - LONGEST)
        connection.execute(sessions.delete().where(sessions.c.began_us <= old))
        connection.execute(sessions.insert().values(
            digest=_digest(token), login=person.login, csrf=secrets.token_urlsafe(32),
            began_us=to_micros(now), seen_us=to_micros(now), second=second,
        ))  # fmt: skip
    return token


def resume(home: Home, token: str, *, now: datetime) -> Session | None:
    """Return the session of a token; None when it never was, idled 30 min or is 12 h old."""
    digest, at = _digest(token), to_micros(now)
    with home.engine.connect() as connection:
        row = connection.execute(
            sa.select(
                people, sessions.c.csrf, sessions.c.began_us, sessions.c.seen_us, sessions.c.second
            )
            .join(people, people.c.login == sessions.c.login)
            .where(sessions.c.digest == digest)
        ).one_or_none()
        if row is None or row.locked:
            return None
        if row.seen_us <= to_micros(now - IDLE) or row.began_us <= to_micros(now - LONGEST):
            connection.execute(sessions.delete().where(sessions.c.digest == digest))
            connection.commit()
            return None
        if at - row.seen_us > 30_000_000:  # a write a click would be one too many
            connection.execute(
                sessions.update().where(sessions.c.digest == digest).values(seen_us=at)
            )
            connection.commit()
    began = now - timedelta(microseconds=at - row.began_us)
    return Session(_person(row), row.csrf, began, digest, bool(row.second))


def end(home: Home, token: str) -> None:
    """End a session."""
    with home.engine.begin() as connection:
        connection.execute(sessions.delete().where(sessions.c.digest == _digest(token)))


def end_all(home: Home, login: str) -> None:
    """End every session of a person."""
    with home.engine.begin() as connection:
        connection.execute(sessions.delete().where(sessions.c.login == login))


def read_people(home: Home) -> list[Person]:
    """Return everyone, by login."""
    with home.engine.connect() as connection:
        rows = connection.execute(sa.select(people).order_by(people.c.login)).all()
    return [_person(row) for row in rows]


def find_person(home: Home, login: str) -> Person:
    """Return one person. Raises ConfigError: there is none."""
    found = [p for p in read_people(home) if p.login == login]
    if not found:
        raise ConfigError("there is no such person", where="login")
    return found[0]


def _person(row: Any) -> Person:
    roles = tuple(r for r in row.roles.split(",") if r in ROLES)
    return Person(row.login, row.name, roles, row.secret_until_us is not None, bool(row.locked),
                  row.subject is not None, row.email or "")  # fmt: skip


def _roles(roles: Iterable[str]) -> str:
    held = [r for r in ROLES if r in set(roles)]
    if not held:
        raise ConfigError("expected a role", where="roles", hint=f"of {', '.join(ROLES)}")
    return ",".join(held)


def _demand_admin(connection: sa.Connection) -> None:
    rows = connection.execute(sa.select(people.c.roles).where(~people.c.locked)).scalars()
    if not any("admin" in roles.split(",") for roles in rows):
        raise ConfigError("nobody would be left who may name people", where="roles",
                          hint="name another administrator first")  # fmt: skip


def _keep(
    home: Home, login: str, secret: str, until_us: int | None, *, held: str | None = None
) -> None:
    """Write down a secret and end all sessions. ``held``: only in place of this one, as compared.

    Raises NotPermitted: another has taken its place meanwhile.
    """
    made = _hasher().hash(secret)
    of = people.c.login == login
    with home.engine.begin() as connection:
        changed = connection.execute(
            people.update().where(of if held is None else of & (people.c.secret == held))
            .values(secret=made, secret_until_us=until_us)
        )  # fmt: skip
        if held is not None and changed.rowcount != 1:
            raise _not_right()
        connection.execute(failures.delete().where(failures.c.login == login))
        connection.execute(sessions.delete().where(sessions.c.login == login))


def _verify(held: str, secret: str) -> bool:
    try:
        return bool(_hasher().verify(held, secret[: _LONGEST_SECRET * 4]))
    except (Argon2Error, InvalidHashError):
        return False


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare two secrets in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())
