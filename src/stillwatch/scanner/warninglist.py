"""Shared values that people found to be honest: who is held together by them alone is not accused.

A plug-in's prompt, a class's exits, a provider's address prefix: once people have labelled the
accounts of a cohort *false*, the values that half of them share are on the list, and the next scan
reads it. The list only ever sets e-values of *coordinated* to nothing. Selection is e-BH, which is
monotone: who is selected with the list is selected without it, the number of hypotheses and the
weights being the same. So no list, whatever is on it, can loosen the bound on false accusations.
A cohort may keep accounts out of another's accusation (`campaigns.judge`); the job sees to it that
nobody is accused with a list who is not without it.

What it costs is sight: a campaign that shares a listed value *and no other* is `watch`, however its
accounts act. With any other value or direct evidence that joins half of its members it is judged as
ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.runners import LocalRunner
from stillwatch.scanner.labels import honest_cohorts
from stillwatch.schema import LINK_KINDS, LINKS

__all__ = ["discounted", "honest_values", "spared_cohorts"]

_SHARE: Final = 0.5  # of a cohort's members
_SPARED_SQL: Final = """
    WITH member AS (
      SELECT DISTINCT m.cohort, m.sid FROM cohort_members m
      SEMI JOIN (SELECT cohort FROM cohort_scores WHERE tested) c ON c.cohort = m.cohort
      WHERE m.how <> 'associated'),
    held AS (
      SELECT m.cohort, m.sid, o.kind || ':' || lower(printf('%016x', o.object)) AS name
      FROM member m JOIN objects o ON o.sid = m.sid),
    shared AS (SELECT cohort, name FROM held GROUP BY ALL HAVING count(DISTINCT sid) > 1),
    tied AS (
      SELECT h.cohort, h.sid, l.name IS NOT NULL AS listed FROM held h
      SEMI JOIN shared s ON s.cohort = h.cohort AND s.name = h.name
      LEFT JOIN listed l ON l.name = h.name
      UNION ALL
      SELECT p.cohort, unnest([d.a, d.b]), false FROM direct d
      JOIN member p ON p.sid = d.a JOIN member q ON q.sid = d.b AND q.cohort = p.cohort),
    counted AS (
      SELECT cohort, count(DISTINCT sid) FILTER (listed) AS by_list,
             count(DISTINCT sid) FILTER (NOT listed) AS otherwise
      FROM tied GROUP BY cohort)
    SELECT c.cohort FROM counted c
    JOIN (SELECT cohort, count(*) AS n FROM member GROUP BY cohort) m ON m.cohort = c.cohort
    WHERE c.by_list >= $share * m.n AND c.otherwise < $share * m.n ORDER BY c.cohort
"""


def honest_values(runs: list[Path], labels: Mapping[str, str]) -> frozenset[str]:
    """Return the values (``kind:hash``, as links.parquet names them) that are on the list.

    Of each cohort of earlier runs that people found honest, those that two and half of its accounts
    share.
    """
    values: set[str] = set()
    direct = [name for name, kind in LINK_KINDS.items() if kind.direct]
    for run in runs if labels else []:
        honest = honest_cohorts(run, labels)
        if not honest or not (run / LINKS).is_file():
            continue
        everyone = pa.array(sorted(set().union(*honest)), pa.string())
        table = pq.read_table(
            run / LINKS, columns=["a", "b"],
            filters=[("b", "in", everyone.to_pylist()), ("kind", "not in", direct)],
        )  # fmt: skip
        pairs = set(zip(table["a"].to_pylist(), table["b"].to_pylist(), strict=True))
        for accounts in honest:
            carriers = Counter(value for value, account in pairs if account in accounts)
            least = max(2.0, _SHARE * len(accounts))
            values |= {value for value, n in carriers.items() if n >= least}
    return frozenset(values)


def spared_cohorts(runner: LocalRunner, values: Collection[str]) -> frozenset[int]:
    """Return the tested cohorts that are held together by listed values alone.

    Half of the members carry one that another member carries too, and fewer than half are tied by
    anything else: another shared value, or direct evidence between two of them.
    """
    if not values:
        return frozenset()
    listed = pa.table({"name": pa.array(sorted(values), pa.string())})
    sql = _SPARED_SQL.replace("$share", str(_SHARE))
    return frozenset(runner.query(sql, listed=listed)["cohort"].to_pylist())


def discounted(scores: pa.Table, cohorts: Collection[int]) -> pa.Table:
    """Return cohort scores in which nothing says that these cohorts are coordinated.

    They stay hypotheses with their weights, and may stay on watch.
    """
    rows = scores.to_pylist()
    for row in rows:
        if row["cohort"] in cohorts:
            row["e_coordinated"] = 0.0
    return pa.Table.from_pylist(rows, schema=scores.schema)
