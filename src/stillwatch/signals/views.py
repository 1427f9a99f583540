"""The hypotheses one after another, each with the exchanges that speak for it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any, Final

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stillwatch.schema import Desk
from stillwatch.schema.arrow import packed
from stillwatch.signals.data import Cohort, Population, Views
from stillwatch.signals.hours import people_hours
from stillwatch.signals.topics import strangers_among
from stillwatch.signals.variants import told_apart
from stillwatch.stats import centred_by, unit_rows

__all__ = ["load_cohorts"]

_TOGETHER: Final = 100_000
_MORE_THAN_SPARE: Final = 3
_MORE_THAN_CIRCLE: Final = {"handoff": 11, "blob_replay": 6}
_LARGE: Final = 0.1
_NO_TOPICS: Final = np.zeros((0, 64), dtype=np.float32)
_COLUMNS: Final = (
    "rid", "sid", "ts_us", "payload", "harvest", "answered", "fresh", "opens", "long", "variant",
)  # fmt: skip
_SPOKEN: Final = """
    SELECT cohort, rid, sid, part = 'B' AS late, template, ts_us, h_payload AS payload, later,
           topic, harvest, answered, fresh, opens, user_tokens >= 8 AS long
    FROM spoken WHERE cohort >= {low} AND cohort < {high} AND part <> '-' ORDER BY cohort, rid"""


def load_cohorts(desk: Desk, population: Population) -> Iterator[Views]:
    """Yield every hypothesis, in order, with the exchanges that speak for it, in both parts.

    As many are held as have 100,000 exchanges together, or one that has more.
    """
    cohorts = desk.query(
        "SELECT cohort, found_by, by_text FROM cohorts ORDER BY cohort"
    ).to_pylist()
    members = _Rows(
        desk.query(
            "SELECT cohort, sid, how = 'associated' AS outside FROM cohort_members "
            "ORDER BY cohort, sid"
        )
    )
    direct = _direct(desk, population.org)
    for low, high in pairwise(_cuts(desk, len(cohorts))):
        spoken = desk.query(_SPOKEN.format(low=low, high=high))
        events = _Rows(spoken.append_column("variant", pa.array(told_apart(desk, spoken))))
        for row in cohorts[low:high]:
            number = row["cohort"]
            mine = members.of(number)
            outside = mine["outside"].to_numpy(zero_copy_only=False)
            sids = mine["sid"].to_numpy()
            yield _views(
                events.of(number),
                population.org,
                direct.get(number, []),
                {
                    "number": number,
                    "found_by": frozenset(row["found_by"]),
                    "by_text": row["by_text"],
                    "members": sids[~outside],
                    "associated": sids[outside],
                },
            )


class _Rows:
    """A table in the order of cohorts, handed out cohort by cohort."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._cohort = table["cohort"].to_numpy()

    def of(self, number: int) -> pa.Table:
        low, high = np.searchsorted(self._cohort, [number, number + 1])
        return self._table.slice(low, high - low)


def _cuts(desk: Desk, cohorts: int) -> list[int]:
    """Return where to cut the cohorts (numbered from 0) so that each piece fits in memory."""
    counted = desk.query(
        "SELECT cohort, count(*) AS n FROM spoken WHERE part <> '-' GROUP BY cohort"
    )
    size = np.zeros(cohorts, dtype=np.int64)
    size[counted["cohort"].to_numpy()] = counted["n"].to_numpy()
    cuts, held = [0], 0
    for number, n in enumerate(size.tolist()):
        if held and held + n > _TOGETHER:
            cuts.append(number)
            held = 0
        held += n
    return [*cuts, cohorts]


def _direct(desk: Desk, org: np.ndarray) -> dict[int, list[dict[str, Any]]]:
    """Return by cohort how often each kind of direct evidence fell between its members.

    Only where many organizations hang together by it (`_hang_together`): two accounts that take
    over from each other, and from nobody else, are one customer's spare.
    """
    rows = desk.query(
        """SELECT m.cohort, d.kind, d.part, d.a, d.b FROM direct d
           JOIN cohort_members m ON m.sid = d.a AND m.how <> 'associated'
           JOIN cohort_members k ON k.sid = d.b AND k.cohort = m.cohort AND k.how <> 'associated'
           ORDER BY m.cohort, d.kind, d.part, d.a, d.b"""
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for (cohort, kind), group in groupby(rows.to_pylist(), key=itemgetter("cohort", "kind")):
        happened = list(group)
        held = _hang_together(org[[(row["a"], row["b"]) for row in happened]], kind)
        parts = [row["part"] for row, kept in zip(happened, held, strict=True) if kept]
        counts = {"a": parts.count("A"), "b": parts.count("B"), "total": len(parts)}
        found.setdefault(cohort, []).append({"cohort": cohort, "kind": kind, **counts})
    return found


def _hang_together(pairs: np.ndarray, kind: str) -> list[bool]:
    """Return which pairs (n × 2) belong to organizations that hang together as a campaign does.

    Three and more of them. By conversations that go on elsewhere more than ten, by reasoning more
    than five, and a tenth of all that have pairs: tables of players and circles of colleagues are
    closed, while a dispatcher's pairs mix.
    """
    names, code = np.unique(pairs, return_inverse=True)
    one, other = code.reshape(-1, 2).T
    size = len(names)
    links = coo_array((np.ones(len(pairs)), (one, other)), shape=(size, size))
    _, label = connected_components(links, directed=False)
    circle = _MORE_THAN_CIRCLE.get(kind)
    least = _MORE_THAN_SPARE if circle is None else max(circle, _LARGE * size)
    return [bool(kept) for kept in np.bincount(label)[label[one]] >= least]


def _canned(later: np.ndarray, sid: np.ndarray) -> np.ndarray:
    """Return which rows say behind an answer what another subject says behind one, word for word.

    ``later``: the prompt's hash, 0 where a conversation begins. What asks for the rest of an
    answer, or for its reasoning, has no topic.
    """
    values, place = np.unique(later, return_inverse=True)
    least, most = np.full(len(values), sid.max(initial=0)), np.zeros(len(values), dtype=sid.dtype)
    np.minimum.at(least, place, sid)
    np.maximum.at(most, place, sid)
    return np.asarray((values[place] != 0) & (least < most)[place])


def _views(
    table: pa.Table, org: np.ndarray, happened: list[dict[str, Any]], known: dict[str, Any]
) -> Views:
    """Return the three views of one hypothesis; ``known`` goes into each of them."""
    events = {name: table[name].to_numpy(zero_copy_only=False) for name in (*_COLUMNS, "late")}
    template = table["template"].to_numpy()
    if not known["by_text"]:
        template = np.zeros(len(template), dtype=np.uint64)
    owner = org[events["sid"]]
    raw = unit_rows(packed(table["topic"]))
    late = events.pop("late")
    events["fresh"] = events["fresh"] & ~_canned(table["later"].to_numpy(), events["sid"])
    first = ~late & events["fresh"]
    trimmed = strangers_among(
        events["sid"][first], org, centred_by(raw[first], template[first], owner[first])
    )
    stays = ~np.isin(events["sid"], trimmed)
    known["trimmed"] = trimmed
    known["hours"] = people_hours(events["ts_us"][stays])
    known["direct_total"] = {d["kind"]: d["total"] for d in happened}
    topics = (centred_by(raw[stays], template[stays], owner[stays]), raw[stays])

    nothing = (_NO_TOPICS, _NO_TOPICS)

    def seen(mask: np.ndarray, field: str, topics: tuple[np.ndarray, np.ndarray]) -> Cohort:
        columns: dict[str, Any] = {name: column[mask] for name, column in events.items()}
        direct = {d["kind"]: d[field] for d in happened}
        return Cohort(topic=topics[0], raw_topic=topics[1], direct=direct, **columns, **known)

    return Views(
        seen(~late & stays, "a", nothing),
        seen(late & stays, "b", nothing),
        seen(stays, "total", topics),
    )
