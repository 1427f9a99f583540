"""The one place that says which versions exist for a member; every read goes through it.

Numbered as the conditions stand in :func:`versions_sql`:

1. The collection, and what was added after the cursor.
2. Its markings let the member see the version, or the member submitted it.
3. Of several submitters of one id, the one whose version the member would have seen first: a member
   from whom an object is hidden may submit its id, as if it were not there, and takes nothing over.
4. The filters, `spec_version` before `version` (TAXII 2.1, section 3.4.1). First and last are taken
   among the versions that the member sees: a hidden later version neither shows nor hides anything.

The inner queries are scalar on purpose: each is one look into an index for a row of the page, where
a join might be planned as a pass over the whole collection. Their comparisons stand in a CASE, since
PostgreSQL takes a plain one to hold for one row in two hundred, expects hardly a page in the whole
collection, and then reads and sorts all of it (measured: 700 ms for a page of 25,000 objects).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, case, false, func, or_, select, true

from stillwatch.share.hub.filters import Filter
from stillwatch.share.hub.tables import VERSION

__all__ = ["Eyes", "versions_sql"]


@dataclass(frozen=True)
class Eyes:
    """What decides who sees: the member's row, its audiences, and whether it sees all."""

    member: int
    audiences: Sequence[int]
    sees_all: bool

    def see(self, version: Any) -> ColumnElement[bool]:
        """Return the condition that a version exists for the member (2)."""
        if self.sees_all:
            return true()
        own: ColumnElement[bool] = version.c.owner == self.member
        if not self.audiences:
            return own
        return or_(own, version.c.audience.in_(list(self.audiences)))


def versions_sql(
    eyes: Eyes,
    collection: int,
    wanted: Filter,
    *,
    several_specs: bool,
    columns: Sequence[Any],
    after: int | None = None,
    newest_only: bool = True,
) -> Select[Any]:
    """Return the query of the versions that a request is about, oldest first.

    ``several_specs``: the collection may hold one object in two specification versions.
    ``newest_only``: the default of ``match[version]`` is ``last``; False: all.
    """
    outer = VERSION.alias("v")
    query = select(*(outer.c[c.name] for c in columns)).where(outer.c.collection == collection)
    if after is not None:
        query = query.where(outer.c.added > after)  # 1
    query = query.where(eyes.see(outer), _first_owner(eyes, outer, collection))  # 2, 3
    if wanted.ids:
        query = query.where(outer.c.object_id.in_(wanted.ids))
    if wanted.types:
        query = query.where(outer.c.type.in_(wanted.types))
    if wanted.spec_versions:
        query = query.where(outer.c.spec.in_(wanted.spec_versions))
    elif several_specs:
        newest = _among(eyes, outer, collection, func.max)
        query = query.where(_mostly(outer.c.spec == newest("spec", ())))
    query = query.where(_versions(eyes, outer, collection, wanted, newest_only))  # 4
    return query.order_by(outer.c.added)


def _first_owner(eyes: Eyes, outer: Any, collection: int) -> ColumnElement[bool]:
    inner = VERSION.alias("o")
    first = (
        select(inner.c.owner)
        .where(
            inner.c.collection == collection,
            inner.c.object_id == outer.c.object_id,
            eyes.see(inner),
        )
        .order_by(inner.c.added)
        .limit(1)
        .scalar_subquery()
    )
    return _mostly(outer.c.owner == first)


def _mostly(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the same condition as one whose share of rows the planner does not guess low."""
    return case((condition, true()), else_=false())


def _among(eyes: Eyes, outer: Any, collection: int, choose: Any) -> Any:
    """Return what makes "the largest (or smallest) of a column over the object's versions"."""

    def of(column: str, conditions: Sequence[Any]) -> Any:
        inner = VERSION.alias("w")
        return (
            select(choose(inner.c[column]))
            .where(
                inner.c.collection == collection,
                inner.c.object_id == outer.c.object_id,
                inner.c.owner == outer.c.owner,
                eyes.see(inner),
                *(condition(inner) for condition in conditions),
            )
            .scalar_subquery()
        )

    return of


def _versions(
    eyes: Eyes, outer: Any, collection: int, wanted: Filter, newest_only: bool
) -> ColumnElement[bool]:
    keywords = wanted.keywords
    if not keywords and not wanted.versions:
        keywords = ("last",) if newest_only else ("all",)
    if "all" in keywords:
        return true()

    def same_spec(inner: Any) -> Any:
        if wanted.spec_versions:
            return inner.c.spec.in_(wanted.spec_versions)
        return inner.c.spec == outer.c.spec

    chosen: list[ColumnElement[bool]] = []
    if "last" in keywords:
        latest = _among(eyes, outer, collection, func.max)
        chosen.append(_mostly(outer.c.version == latest("version", [same_spec])))
    if "first" in keywords:
        earliest = _among(eyes, outer, collection, func.min)
        chosen.append(_mostly(outer.c.version == earliest("version", [same_spec])))
    if wanted.versions:
        chosen.append(outer.c.version.in_(wanted.versions))
    return or_(*chosen) if chosen else false()
