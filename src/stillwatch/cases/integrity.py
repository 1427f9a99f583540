"""Is the case database what was written? The chain, the bodies behind it, and the tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from stillwatch.cases import tables as t
from stillwatch.cases.attachments import check_contents
from stillwatch.cases.book import Book, commitment
from stillwatch.cases.projection import project
from stillwatch.errors import EvidenceError
from stillwatch.seal import Link, verify_chain

__all__ = ["Verified", "check_body", "links_of", "rewritten", "verify_book"]


@dataclass(frozen=True)
class Verified:
    """``entries`` in the chain, ``opened`` with their body, ``erased`` or purged ones without."""

    entries: int
    opened: int
    erased: int
    last: str | None


def verify_book(book: Book, *, last: str | None = None) -> Verified:
    """Check a case database; ``last``: the digest that the chain ended with, kept elsewhere.

    1. The chain holds together from its first entry, and ends with ``last``.
    2. Every body opens its commitment, or an entry of the chain says that it was erased or purged.
    3. The other tables are those that the entries give.
    4. Every attached file that is not gone has the bytes whose digest its entry names.

    Raises EvidenceError: names the first entry, or the table, that does not hold. Error: that the
    chain's end was cut off is seen only with ``last``.
    """
    with book.reading() as connection:
        links = links_of(connection)
        verify_chain(links, last=last)  # 1
        bodies = {
            row.number: (row.salt, json.loads(row.body))
            for row in connection.execute(sa.select(t.bodies))
        }
        gone = rewritten(links, bodies)
        opened = 0
        for link in links:  # 2
            opened += check_body(link, bodies.get(link.number), gone)
        if unchained := sorted(set(bodies) - {link.number for link in links}):
            raise EvidenceError("a body without an entry", where=f"entry {unchained[0]}")
        _check_tables(connection, links, bodies)  # 3
        check_contents(connection)  # 4
    return Verified(len(links), opened, len(links) - opened, links[-1].own if links else None)


def links_of(connection: sa.Connection) -> list[Link]:
    """Return the chain, in order.

    Raises EvidenceError: an entry is not JSON.
    """
    links = []
    for row in connection.execute(sa.select(t.history).order_by(t.history.c.number)):
        try:
            links.append(Link(row.number, json.loads(row.value), row.before, row.own))
        except ValueError as error:
            raise EvidenceError("is not JSON", where=f"entry {row.number}") from error
    return links


def rewritten(links: list[Link], bodies: Mapping[int, tuple[str, Any]]) -> dict[int, str | None]:
    """Return what erasures and purges of the same chain say of bodies, the last word counting.

    The new commitment of a body that an erasure rewrote; None for one that a purge removed.
    """
    gone: dict[int, str | None] = {}
    for link in links:
        if link.value["kind"] in ("erasure", "purge") and link.number in bodies:
            salt, body = bodies[link.number]
            if commitment(salt, body) == link.value["commitment"]:
                gone.update({int(n): new for n, new in body["rewritten"].items()})
    return gone


def check_body(link: Link, held: tuple[str, Any] | None, gone: Mapping[int, str | None]) -> bool:
    """Return whether a body opens its entry's commitment; False where it is known to be gone.

    Raises EvidenceError: it is missing or another, and nothing says why.
    """
    where = f"entry {link.number}"
    if held is None:
        if link.number in gone and gone[link.number] is None:
            return False
        raise EvidenceError("its body is missing, and no purge says so", where=where)
    found = commitment(*held)
    if found == link.value["commitment"]:
        return True
    if found == gone.get(link.number):
        return False
    raise EvidenceError("its body was changed after it was written", where=where)


def _check_tables(
    connection: sa.Connection, links: list[Link], bodies: dict[int, tuple[str, Any]]
) -> None:
    """Make the tables anew in memory and compare them, row by row."""
    engine = sa.create_engine("sqlite://")
    t.metadata.create_all(engine)
    with engine.begin() as fresh:
        for link in links:
            if link.number in bodies:
                project(fresh, link.number, link.value["kind"], bodies[link.number][1],
                        link.value["at_us"])  # fmt: skip
        for table in t.PROJECTIONS:
            if list(_rows(fresh, table)) != list(_rows(connection, table)):
                raise EvidenceError(
                    "is not what the entries say", where=f"table {table.name}",
                    hint="someone wrote to it beside this program; the entries are what counts",
                )  # fmt: skip
    engine.dispose()


def _rows(connection: sa.Connection, table: sa.Table) -> Iterator[tuple[Any, ...]]:
    yield from sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
