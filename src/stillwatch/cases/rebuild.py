"""The tables made anew from the entries that still have their text."""

from __future__ import annotations

import json

import sqlalchemy as sa

from stillwatch.cases import tables as t
from stillwatch.cases.projection import project

__all__ = ["rebuild"]


def rebuild(connection: sa.Connection) -> None:
    """Empty every derived table and bring the entries in again, in their order."""
    for table in t.PROJECTIONS:
        connection.execute(table.delete())
    rows = connection.execute(
        sa.select(t.history.c.number, t.history.c.value, t.bodies.c.body)
        .join(t.bodies, t.bodies.c.number == t.history.c.number)
        .order_by(t.history.c.number)
    ).all()
    for row in rows:
        value = json.loads(row.value)
        project(connection, row.number, value["kind"], json.loads(row.body), value["at_us"])
