"""What each person keeps for their own work: saved views, cases passed over for a day, a time zone.

None of it is a judgement, so it lies in the console's own database and can be changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa

from stillwatch.console.home import Home, habits, skips, views
from stillwatch.errors import ConfigError
from stillwatch.schema import to_micros

__all__ = [
    "FILTERS", "View", "drop_view", "keep_view", "keep_zone", "pass_over", "passed_over",
    "query_of", "read_views", "zone_of",
]  # fmt: skip

FILTERS: Final = ("why", "who", "find", "standing", "least", "sort")
_PASSED: Final = timedelta(days=1)
_MOST_VIEWS: Final = 50


@dataclass(frozen=True)
class View:
    """A question to the queue under a name. ``mine``: the reader may drop it."""

    number: int
    name: str
    query: str
    shared: bool
    mine: bool


def query_of(asked: Mapping[str, str]) -> str:
    """Return the filters of an address, and nothing else of it.

    >>> query_of({"why": "new", "page": "3", "find": "a b", "x": "1"})
    'why=new&find=a+b'
    """
    return urlencode([(name, asked[name][:200]) for name in FILTERS if asked.get(name)])


def read_views(home: Home, login: str) -> list[View]:
    """Return the views of a person and those that others share, by name."""
    with home.engine.connect() as connection:
        rows = connection.execute(
            sa.select(views).where(sa.or_(views.c.login == login, views.c.shared))
            .order_by(views.c.name, views.c.number)
        ).all()  # fmt: skip
    return [View(r.number, r.name, r.query, bool(r.shared), r.login == login) for r in rows]


def keep_view(
    home: Home, login: str, *, name: str, query: str, shared: bool, now: datetime
) -> None:
    """Keep a view under a name; one of the same person and name is replaced.

    Raises ConfigError: no name, or the person has 50 already.
    """
    name = " ".join(name.split())[:80]
    if not name:
        raise ConfigError("expected a name", where="view")
    with home.engine.begin() as connection:
        mine = views.c.login == login
        connection.execute(views.delete().where(mine, views.c.name == name))
        held = connection.scalar(sa.select(sa.func.count()).where(mine)) or 0
        if held >= _MOST_VIEWS:
            raise ConfigError(f"at most {_MOST_VIEWS} views", where="view", hint="drop one")
        connection.execute(views.insert().values(
            login=login, name=name, query=query, shared=shared, at_us=to_micros(now)
        ))  # fmt: skip


def drop_view(home: Home, login: str, number: int) -> None:
    """Drop a view of one's own; another's stays."""
    with home.engine.begin() as connection:
        connection.execute(views.delete().where(views.c.number == number, views.c.login == login))


def pass_over(home: Home, login: str, case_id: str, *, now: datetime) -> None:
    """Keep a case from being handed to a person for a day; the queue still shows it."""
    with home.engine.begin() as connection:
        connection.execute(skips.delete().where(
            sa.or_(skips.c.until_us <= to_micros(now),
                   sa.and_(skips.c.login == login, skips.c.case_id == case_id))
        ))  # fmt: skip
        connection.execute(skips.insert().values(
            login=login, case_id=case_id, until_us=to_micros(now + _PASSED)
        ))  # fmt: skip


def passed_over(home: Home, login: str, *, now: datetime) -> set[str]:
    """Return the cases that a person passed over within the last day."""
    with home.engine.connect() as connection:
        return set(connection.scalars(
            sa.select(skips.c.case_id)
            .where(skips.c.login == login, skips.c.until_us > to_micros(now))
        ))  # fmt: skip


def zone_of(home: Home, login: str) -> str:
    """Return the time zone in which a person reads times: an IANA name, by default UTC."""
    with home.engine.connect() as connection:
        return connection.scalar(sa.select(habits.c.zone).where(habits.c.login == login)) or "UTC"


def keep_zone(home: Home, login: str, zone: str) -> None:
    """Keep the time zone of a person. Raises ConfigError: there is no such zone."""
    try:
        if zone != "UTC":
            ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError("there is no such time zone", where="zone",
                          hint="an IANA name such as Europe/Berlin") from error  # fmt: skip
    with home.engine.begin() as connection:
        connection.execute(habits.delete().where(habits.c.login == login))
        connection.execute(habits.insert().values(login=login, zone=zone))
