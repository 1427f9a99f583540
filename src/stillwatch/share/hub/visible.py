"""The one place that says which versions exist for a member; every read goes through it.

Numbered as the conditions stand in :func:`_statement`:

1. The collection, and what was added after the cursor.
2. Its markings let the member see the version, or the member submitted it.
3. Of several submitters of one id, the one whose version the member would have seen first: a member
   from whom an object is hidden may submit its id, as if it were not there, and takes nothing over.
4. The filters, `spec_version` before `version` (TAXII 2.1, section 3.4.1). First and last are taken
   among the versions that the member sees: a hidden later version neither shows nor hides anything.

The inner queries are scalar on purpose: each is one look into an index for a row of the page, where
a join might be planned as a pass over the whole collection. Their comparisons stand in a CASE:
PostgreSQL takes a plain one to hold for one row in two hundred, expects hardly a page in the whole
collection, and then reads and sorts all of it (measured: 700 ms for a page of 25,000 objects).

A statement is built once for each shape of request, since building costs more than asking; what
differs from request to request are its parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    bindparam,
    case,
    false,
    func,
    or_,
    select,
    true,
)

from stillwatch.share.hub.filters import Filter
from stillwatch.share.hub.tables import VERSION

__all__ = ["Eyes", "versions_sql"]

_OUTER: Final = VERSION.alias("v")
_FIRST: Final = VERSION.alias("o")
_AMONG: Final = VERSION.alias("w")


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
        return or_(version.c.owner == self.member, version.c.audience.in_(list(self.audiences)))

    def parameters(self) -> dict[str, Any]:
        """Return the parameters that (2) takes."""
        if self.sees_all:
            return {}
        return {"member": self.member, "audiences": list(self.audiences)}


class _Shape(NamedTuple):
    """What of a request decides the text of its statement."""

    columns: tuple[str, ...]
    sees_all: bool
    after: bool
    limited: bool
    ids: bool
    types: bool
    specs: bool
    several_specs: bool
    keywords: tuple[str, ...]
    versions: bool


def versions_sql(
    eyes: Eyes,
    collection: int,
    wanted: Filter,
    *,
    several_specs: bool,
    columns: Sequence[str],
    after: int | None = None,
    newest_only: bool = True,
    most: int | None = None,
) -> tuple[Select[Any], Mapping[str, Any]]:
    """Return the query of the versions that a request is about, oldest first, and its parameters.

    ``several_specs``: the collection may hold one object in two specification versions.
    ``newest_only``: the default of ``match[version]`` is ``last``; False: all. ``most``: rows.
    """
    keywords = tuple(sorted(wanted.keywords))
    if not keywords and not wanted.versions:
        keywords = ("last",) if newest_only else ("all",)
    shape = _Shape(
        tuple(columns),
        eyes.sees_all,
        after is not None,
        most is not None,
        bool(wanted.ids),
        bool(wanted.types),
        bool(wanted.spec_versions),
        several_specs,
        keywords,
        bool(wanted.versions),
    )
    given = {
        "collection": collection,
        "after": after,
        "most": most,
        "ids": list(wanted.ids) or None,
        "types": list(wanted.types) or None,
        "specs": list(wanted.spec_versions) or None,
        "versions": list(wanted.versions) or None,
    }
    told = {name: value for name, value in given.items() if value is not None}
    return _statement(shape), told | eyes.parameters()


@lru_cache(maxsize=512)
def _statement(shape: _Shape) -> Select[Any]:
    v = _OUTER.c
    query = select(*(v[name] for name in shape.columns))
    query = query.where(v.collection == bindparam("collection"))
    if shape.after:
        query = query.where(v.added > bindparam("after"))  # 1
    query = query.where(_seen(_OUTER, shape.sees_all), _first_owner(shape))  # 2, 3
    for asked, column, name in (  # 4
        (shape.ids, v.object_id, "ids"),
        (shape.types, v.type, "types"),
        (shape.specs, v.spec, "specs"),
    ):
        if asked:
            query = query.where(column.in_(bindparam(name, expanding=True)))
    if shape.several_specs and not shape.specs:
        query = query.where(_mostly(v.spec == _among(shape, func.max, "spec", true())))
    query = query.where(_versions(shape)).order_by(v.added)
    return query.limit(bindparam("most", type_=Integer)) if shape.limited else query


def _seen(version: Any, sees_all: bool) -> ColumnElement[bool]:
    if sees_all:
        return true()
    named = version.c.audience.in_(bindparam("audiences", expanding=True))
    return or_(version.c.owner == bindparam("member"), named)


def _mostly(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the same condition as one whose share of rows the planner does not guess low."""
    return case((condition, true()), else_=false())


def _first_owner(shape: _Shape) -> ColumnElement[bool]:
    first = (
        select(_FIRST.c.owner)
        .where(
            _FIRST.c.collection == bindparam("collection"),
            _FIRST.c.object_id == _OUTER.c.object_id,
            _seen(_FIRST, shape.sees_all),
        )
        .order_by(_FIRST.c.added)
        .limit(1)
        .scalar_subquery()
    )
    return _mostly(_OUTER.c.owner == first)


def _among(shape: _Shape, choose: Any, column: str, condition: ColumnElement[bool]) -> Any:
    """Return the largest (or smallest) of a column over the versions of the row's object."""
    return (
        select(choose(_AMONG.c[column]))
        .where(
            _AMONG.c.collection == bindparam("collection"),
            _AMONG.c.object_id == _OUTER.c.object_id,
            _AMONG.c.owner == _OUTER.c.owner,
            _seen(_AMONG, shape.sees_all),
            condition,
        )
        .scalar_subquery()
    )


def _versions(shape: _Shape) -> ColumnElement[bool]:
    if "all" in shape.keywords:
        return true()
    spec = _AMONG.c.spec
    same = spec.in_(bindparam("specs", expanding=True)) if shape.specs else spec == _OUTER.c.spec
    chosen: list[ColumnElement[bool]] = []
    for keyword, choose in (("last", func.max), ("first", func.min)):
        if keyword in shape.keywords:
            extreme = _among(shape, choose, "version", same)
            chosen.append(_mostly(_OUTER.c.version == extreme))
    if shape.versions:
        chosen.append(_OUTER.c.version.in_(bindparam("versions", expanding=True)))
    return or_(*chosen)
