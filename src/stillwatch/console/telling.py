"""People are told by e-mail that their password, second factor, roles or address were changed.

OWASP ASVS 4.0.3, 2.2.3. A letter names people of the console, a time and what was changed; nothing
of a case, a customer or a secret. It goes out after the answer: a mail server that is slow or away
holds nothing up, and what it did not take is said in the log and not tried again.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.background import BackgroundTask
from starlette.responses import Response

from stillwatch.console.entry import Person, find_person, read_people
from stillwatch.console.home import Home
from stillwatch.errors import ConfigError
from stillwatch.report import visible
from stillwatch.schema import plain_name, read_toml
from stillwatch.schema.mailing import (
    RELAY_MORE,
    RELAY_NEEDED,
    Relay,
    Unsent,
    check_keys,
    read_relay,
)

__all__ = [
    "Notice",
    "Post",
    "read_post",
    "send",
    "tell",
    "told_of_administrator",
    "told_of_roles",
    "told_person",
]

_LOG: Final = logging.getLogger(__name__)
_HINT: Final = "docs/console.md shows every key of mail.toml"
_ADMIN: Final = "admin"
_KINDS: Final = {
    "password": "password was", "factor": "second factor was", "roles": "roles were",
    "email": "e-mail address was",
}  # fmt: skip


@dataclass(frozen=True)
class Post:
    """The mail server, and the console's address as letters give it, or nothing."""

    relay: Relay
    console: str = ""


@dataclass(frozen=True)
class Notice:
    """One letter to one address. ``kind`` stands in the log where it does not go out."""

    kind: str
    to: str
    subject: str
    text: str


def read_post(home: Home) -> Post | None:
    """Read mail.toml of the console's folder; None where there is none.

    Raises ConfigError: a key is lacking, unknown or wrong. InputError: it cannot be read.
    """
    file = home.mail
    if not file.is_file():
        return None
    held = read_toml(file)
    check_keys(held, RELAY_NEEDED, RELAY_MORE | {"console"}, where=file.name, hint=_HINT)
    console = held.pop("console", "")
    if console and not console.startswith(("https://", "http://")):
        raise ConfigError("expected an address such as https://console.example.com",
                          where=f"{file.name}: console")  # fmt: skip
    return Post(read_relay(held, name=file.name, where=file.name, base=file.parent), console)


def told_person(
    person: Person, kind: str, what: str, *, by: str, now: datetime, email: str | None = None
) -> list[Notice]:
    """Return the letter that tells a person what of theirs was changed, where they have an address.

    ``what``: the middle of a sentence, such as "your password was changed"; ``email``: another
    address than the one that is kept now.
    """
    to = person.email if email is None else email
    who = "you" if by == person.name else visible(by)
    text = (f"{visible(person.name)},\n\non {_at(now)} {what}, by {who}.\n\n"
            "If you did not expect this, tell whoever runs the console at once.")  # fmt: skip
    return [Notice(kind, to, f"Your {_KINDS[kind]} changed", text)] if to else []


def told_of_roles(
    home: Home, person: Person, before: Collection[str], *, by: str, now: datetime
) -> list[Notice]:
    """Return the letters after a change of roles: to the person; and where they became an
    administrator or ceased to be one, to all other administrators.

    ``person``: as they are now; ``before``: the roles that they had.
    """
    if set(before) == set(person.roles):
        return []
    held = " and ".join(person.roles)
    had = " and ".join(before)
    what = f"your roles were changed from {had} to {held}" if had else f"you were let in as {held}"
    out = told_person(person, "roles", what, by=by, now=now)
    if (_ADMIN in before) == (_ADMIN in person.roles):
        return out
    told = f"is {'an' if _ADMIN in person.roles else 'no longer an'} administrator"
    return [*out, *_others(home, person, told, by=by, now=now)]


def told_of_administrator(home: Home, name: str, *, now: datetime) -> list[Notice]:
    """Return the letters after whoever runs the server named an administrator anew."""
    person, by = find_person(home, plain_name(name)), "whoever runs the server"
    what = "you were named an administrator, with a new first password and no second factor"
    told = "was named an administrator, with a new first password"
    return [*told_person(person, "roles", what, by=by, now=now),
            *_others(home, person, told, by=by, now=now)]  # fmt: skip


def _others(home: Home, person: Person, told: str, *, by: str, now: datetime) -> list[Notice]:
    """Return a letter to every administrator but the one that it is about."""
    said = f"{visible(person.name)} {told}"
    return [
        Notice(
            "administrator", other.email, said,
            f"{visible(other.name)},\n\non {_at(now)}: {said}, by {visible(by)}.\n\nIf none of you "
            "meant this, keep that person out under People at once.",
        )
        for other in read_people(home)
        if other.login != person.login and _ADMIN in other.roles and not other.locked
        and other.email
    ]  # fmt: skip


def tell(
    post: Post | None, answer: Response, notices: Sequence[Notice], *, now: datetime
) -> Response:
    """Return an answer after which the letters go out, where there is a mail server."""
    if post is not None and notices:
        answer.background = BackgroundTask(send, post, tuple(notices), now=now)
    return answer


def send(post: Post, notices: Sequence[Notice], *, now: datetime) -> int:
    """Send letters; return how many were taken. Each of the others is a warning in the log."""
    sent = 0
    for one in notices:
        end = f"\n\nThe console is at {post.console}\n" if post.console else "\n"
        said = (f"{one.text} Nobody asks for your password by e-mail; answers to this letter are "
                f"not read.{end}")  # fmt: skip
        letter = post.relay.letter((one.to,), f"[stillwatch] {one.subject}", said,
                                   mark=secrets.token_hex(16), now=now)  # fmt: skip
        try:
            post.relay.post(letter)
        except Unsent as error:
            _LOG.warning("a notice (%s) was not sent: %s", one.kind, error.why)
        else:
            sent += 1
    return sent


def _at(now: datetime) -> str:
    return f"{now:%Y-%m-%d at %H:%M} UTC"
