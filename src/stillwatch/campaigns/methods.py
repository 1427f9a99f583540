"""Which methods a campaign's exchanges show, by the hints on each exchange."""

from __future__ import annotations

from stillwatch.schema import METHODS, Desk

__all__ = ["methods_of"]

_MIN_SHARE = 0.2
_MIN_DIRECT = 10


def methods_of(desk: Desk, cohort: int, direct: dict[str, int]) -> list[str]:
    """Return the methods that a fifth of the campaign's exchanges hint at, most frequent first.

    `relay` and `blob_replay` come from direct evidence. Hints say what is taken; they are no
    part of the accusation, which stands without them.
    """
    terms = ", ".join(
        f"count(*) FILTER (method_hints & {1 << k} <> 0) AS {name}"
        for k, name in enumerate(METHODS)
    )
    row = desk.query(
        f"""SELECT count(*) AS n, {terms} FROM exchanges WHERE sid IN
            (SELECT sid FROM cohort_members WHERE cohort = {cohort} AND how <> 'associated')"""
    ).to_pylist()[0]
    total = max(row.pop("n"), 1)
    found = sorted(
        (name for name, n in row.items() if n >= _MIN_SHARE * total), key=lambda k: (-row[k], k)
    )
    if direct.get("handoff", 0) >= _MIN_DIRECT:
        found.insert(0, "relay")
    if direct.get("blob_replay", 0) >= _MIN_DIRECT:
        found.append("blob_replay")
    return found
