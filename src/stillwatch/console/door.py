"""In and out: a local password, or an OpenID provider."""

from __future__ import annotations

from functools import cache
from typing import Final
from zoneinfo import available_timezones

from starlette.responses import Response

from stillwatch.console.desk import COOKIE, Desk, Visit
from stillwatch.console.entry import (
    LONGEST,
    Person,
    Session,
    begin,
    change_secret,
    check_secret,
    end,
    end_all,
    log_in,
)
from stillwatch.console.factor import (
    asked_of,
    begin_factor,
    confirm_factor,
    drop_factor,
    has_factor,
)
from stillwatch.console.habits import keep_zone
from stillwatch.console.oidc import Provider, read_provider
from stillwatch.console.paper import go, show
from stillwatch.console.telling import tell, told_person
from stillwatch.errors import ConfigError, NotPermitted, StillwatchError

__all__ = [
    "begin_second", "begun_without", "drop_second", "enter", "from_provider", "lacks_factor",
    "leave", "set_password", "set_second", "set_zone", "show_login", "show_password",
    "to_provider",
]  # fmt: skip

_ASKED: Final = "__Host-stillwatch-asked"
_ASKED_S: Final = 600


def lacks_factor(desk: Desk, person: Person) -> bool:
    """Tell whether a person with a local password has yet to set up the factor that they need."""
    needed = not person.outside and asked_of(desk.second_factor, person.roles)
    return needed and not has_factor(desk.home, person.login)


def begun_without(desk: Desk, session: Session) -> bool:
    """Tell whether a session ends here: it needed a second factor, and began without the one
    that the person has."""
    person = session.person
    if session.second or not asked_of(desk.second_factor, person.roles):
        return False
    return person.outside or has_factor(desk.home, person.login)


def show_login(desk: Desk, visit: Visit) -> Response:
    """Show the form, and the provider where there is one."""
    if visit.session is not None:
        return go("/")
    return show(desk, visit, "login.html.jinja", outside=desk.home.oidc.is_file(), wrong="")


def enter(desk: Desk, visit: Visit) -> Response:
    """Begin a session for whoever knows the password."""
    try:
        person = log_in(desk.home, visit.form.get("login", ""), visit.form.get("secret", ""),
                        code=visit.form.get("code", ""), now=desk.clock())  # fmt: skip
    except NotPermitted as error:
        return show(desk, visit, "login.html.jinja", status=403, wrong=error.message,
                    outside=desk.home.oidc.is_file())  # fmt: skip
    if COOKIE in visit.cookies:
        end(desk.home, visit.cookies[COOKIE])
    return _inside(desk, person, go(_first_page(person)),
                   second=has_factor(desk.home, person.login))  # fmt: skip


def _first_page(person: Person) -> str:
    if person.must_change:
        return "/password"
    return "/people" if person.roles == ("admin",) else "/"


def _inside(desk: Desk, person: Person, answer: Response, *, second: bool) -> Response:
    token = begin(desk.home, person, now=desk.clock(), second=second)
    answer.set_cookie(COOKIE, token, max_age=int(LONGEST.total_seconds()), path="/", secure=True,
                      httponly=True, samesite="strict")  # fmt: skip
    return answer


def leave(desk: Desk, visit: Visit) -> Response:
    """End the session."""
    end(desk.home, visit.cookies.get(COOKIE, ""))
    answer = go("/login")
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


def show_password(desk: Desk, visit: Visit) -> Response:
    """Show the form for another password."""
    return _password(desk, visit)


def _password(desk: Desk, visit: Visit, wrong: str = "") -> Response:
    return show(
        desk, visit, "password.html.jinja", status=422 if wrong else 200, wrong=wrong,
        zones=_zones(), factor=has_factor(desk.home, visit.login), told=desk.post is not None,
        needed=visit.session is not None and lacks_factor(desk, visit.session.person),
    )  # fmt: skip


def _wrong(error: StillwatchError) -> str:
    """Return what was wrong and what to do next, as sentences."""
    told = [t for t in (error.message, error.hint) if t]
    return " ".join(f"{t[0].upper()}{t[1:]}." for t in told)


def begin_second(desk: Desk, visit: Visit) -> Response:
    """Show the key of a second factor, which is not in force before a code of it came back."""
    if visit.session is None:
        return go("/login")
    if visit.session.person.outside:
        raise ConfigError("your identity provider asks for it", where="second factor")
    try:
        check_secret(desk.home, visit.session.person, visit.form.get("secret", ""),
                     now=desk.clock())  # fmt: skip
    except NotPermitted as error:
        return _password(desk, visit, _wrong(error))
    key, address = begin_factor(desk.home, visit.login)
    return show(desk, visit, "factor.html.jinja", address=address,
                key=" ".join(key[n : n + 4] for n in range(0, len(key), 4)))  # fmt: skip


def set_second(desk: Desk, visit: Visit) -> Response:
    """Put a begun second factor in force: sessions that began without it end, this one anew."""
    if visit.session is None:
        return go("/login")
    person = visit.session.person
    confirm_factor(desk.home, visit.login, visit.form.get("code", ""), now=desk.clock())
    end_all(desk.home, visit.login)
    held_up = asked_of(desk.second_factor, person.roles)
    answer = _inside(desk, person, go(_first_page(person) if held_up else "/password"), second=True)
    return _told(desk, answer, person, "factor", "a second factor was set up")


def drop_second(desk: Desk, visit: Visit) -> Response:
    """Take the visitor's own second factor away; it asks for password and code."""
    try:
        log_in(desk.home, visit.login, visit.form.get("secret", ""),
               code=visit.form.get("code", ""), now=desk.clock())  # fmt: skip
    except NotPermitted as error:
        return _password(desk, visit, _wrong(error))
    drop_factor(desk.home, visit.login)
    answer = go("/password")
    if visit.session is None:
        return answer
    return _told(desk, answer, visit.session.person, "factor", "your second factor was removed")


@cache
def _zones() -> tuple[str, ...]:
    return tuple(sorted(available_timezones()))


def set_zone(desk: Desk, visit: Visit) -> Response:
    """Keep the time zone in which the visitor reads times."""
    keep_zone(desk.home, visit.login, visit.form.get("zone", ""))
    return go("/password")


def set_password(desk: Desk, visit: Visit) -> Response:
    """Set the visitor's own password and begin a new session."""
    if visit.session is None:
        return go("/login")
    person, new = visit.session.person, visit.form.get("new", "")
    try:
        if new != visit.form.get("again", ""):
            raise ConfigError("the two are not the same", where="password")
        change_secret(desk.home, person, old=visit.form.get("old", ""), new=new, now=desk.clock())
    except (ConfigError, NotPermitted) as error:
        return _password(desk, visit, _wrong(error))
    answer = _inside(desk, person, go("/people" if person.roles == ("admin",) else "/"),
                     second=visit.session.second)  # fmt: skip
    return _told(desk, answer, person, "password", "your password was changed")


def _told(desk: Desk, answer: Response, person: Person, kind: str, what: str) -> Response:
    """Return an answer after which a person is told what they changed."""
    now = desk.clock()
    return tell(
        desk.post, answer, told_person(person, kind, what, by=person.name, now=now), now=now
    )


def to_provider(desk: Desk, visit: Visit) -> Response:
    """Send the browser to the provider, and remember that it was asked."""
    provider = _provider(desk)
    address, state = provider.ask(desk.clock())
    answer = go(address)
    answer.set_cookie(_ASKED, state, max_age=_ASKED_S, path="/", secure=True, httponly=True,
                      samesite="lax")  # fmt: skip
    return answer


def from_provider(desk: Desk, visit: Visit) -> Response:
    """Begin a session for whoever the provider says it is.

    The answer is a page of our own that goes on by itself: a redirect would still count as coming
    from the provider, and a strict cookie would not be sent.
    """
    provider = _provider(desk)
    person, second = provider.person(desk.home, visit.query, visit.cookies.get(_ASKED, ""),
                                     desk.clock())  # fmt: skip
    if not second and asked_of(desk.second_factor, person.roles):
        raise NotPermitted("the provider does not say that it asked for a second factor",
                           where="log in", hint="set one up there; whoever runs the console names "
                           "what counts as one in oidc.toml: second_factor")  # fmt: skip
    answer = _inside(desk, person, show(desk, visit, "entered.html.jinja",
                                        first=_first_page(person)), second=second)  # fmt: skip
    answer.delete_cookie(_ASKED, path="/", secure=True, httponly=True, samesite="lax")
    return answer


def _provider(desk: Desk) -> Provider:
    if not desk.home.oidc.is_file():
        raise ConfigError("no identity provider is set up", where="oidc.toml",
                          hint="docs/console.md says what to write")  # fmt: skip
    return desk.once(("provider", desk.home.oidc.stat().st_mtime_ns),
                     lambda: read_provider(desk.home.oidc))  # fmt: skip
