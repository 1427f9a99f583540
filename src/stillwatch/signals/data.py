"""What a cohort test sees: the cohort's exchanges, its members, and the population."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from stillwatch.schema import Desk
from stillwatch.signals.topics import strangers_among
from stillwatch.signals.variants import NO_VARIANT, apart, nodes_sent
from stillwatch.stats import centred_by, unit_rows

__all__ = [
    "Cohort",
    "Population",
    "Views",
    "in_part",
    "load_cohorts",
    "load_population",
    "over_both",
]

STATIC_KINDS: Final = ("payment_hash", "device_hash", "phone_hash", "email_hash", "signup_ip")
_BACKGROUND: Final = 4_000


@dataclass(frozen=True)
class Population:
    """Everybody, by sid: what members of a cohort are compared with.

    ``volume``: exchanges of each subject in the part looked at. ``created_us``: creation times,
    NaN where unknown. ``codes[kind]``: dense value codes, −1 for missing; ``counts[kind]``:
    subjects per code. ``exit_code``: the prefix that a subject used most in the part.
    ``background``: topic vectors (unit length) of one exchange each of random subjects.
    """

    sids: np.ndarray
    org: np.ndarray
    segment: np.ndarray
    created_us: np.ndarray
    codes: dict[str, np.ndarray]
    counts: dict[str, np.ndarray]
    volume: np.ndarray
    exit_code: np.ndarray
    exit_counts: np.ndarray
    background: np.ndarray
    harvest_share: float
    span_us: tuple[int, int]

    @cached_property
    def held(self) -> dict[str, np.ndarray]:
        """Return, by kind of value and for ``exit``, how many organizations hold each code."""
        kinds = {**self.codes, "exit": self.exit_code}
        return {kind: self._organizations(codes) for kind, codes in kinds.items()}

    def _organizations(self, codes: np.ndarray) -> np.ndarray:
        known, size = codes >= 0, int(codes.max(initial=-1)) + 1
        pairs = np.unique(self.org[known] * max(size, 1) + codes[known])
        return np.bincount(pairs % max(size, 1), minlength=size)


@dataclass(frozen=True)
class Cohort:
    """One hypothesis: its members and their exchanges of one part that speak for it, by time.

    ``topic``: unit rows less what the template itself says; ``raw_topic``: with it.
    ``answered``: not refused by a limit or a ban; ``fresh``: no continuation of the subject's own
    conversation; ``long``: eight tokens or more. ``variant``: which
    of several templates, −1 for none. ``trimmed``: members whose topics in part A are
    not the cohort's (a copied customer among its copiers); they stay members, and are left out of
    the tests.
    """

    number: int
    found_by: frozenset[str]
    by_text: bool
    members: np.ndarray
    associated: np.ndarray
    trimmed: np.ndarray
    rid: np.ndarray
    sid: np.ndarray
    ts_us: np.ndarray
    payload: np.ndarray
    topic: np.ndarray
    raw_topic: np.ndarray
    harvest: np.ndarray
    answered: np.ndarray
    fresh: np.ndarray
    long: np.ndarray
    variant: np.ndarray
    direct: dict[str, int]
    direct_total: dict[str, int]

    @property
    def senders(self) -> np.ndarray:
        """Return the subjects that sent anything of the cohort in this part, sorted."""
        return np.unique(self.sid)


class Views(NamedTuple):
    """One hypothesis seen three times.

    ``screen``: part A, which decides whether the hypothesis is worth a test; ``test``: part B,
    on which coordination is tested; ``whole``: both, which say what is asked for (the reference
    is measured in the same way, so nothing is tested on what chose it).
    """

    screen: Cohort
    test: Cohort
    whole: Cohort


def over_both(early: Population, late: Population) -> Population:
    """Return the population of part B with the volumes of both parts."""
    return replace(late, volume=early.volume + late.volume)


def load_population(desk: Desk) -> Population:
    """Read the population once for all cohorts, as it is in part B."""
    people = desk.query(
        "SELECT sid, org, segment, end_user_id IS NULL AS own, epoch_us(created_at) AS created, "
        + ", ".join(STATIC_KINDS)
        + " FROM subjects ORDER BY sid"
    )
    size = people.num_rows
    own = people["own"].to_numpy(zero_copy_only=False)
    codes, counts = {}, {}
    for kind in STATIC_KINDS:
        words = people[kind].to_pylist()
        if kind == "signup_ip":
            words = [w.rsplit(".", 1)[0] if w and "." in w else w for w in words]
        codes[kind], counts[kind] = _coded(
            [w if o else None for w, o in zip(words, own, strict=True)]
        )
    volume, exit_code, exit_counts = _traffic(desk, "B", size)
    sample = desk.query(
        f"""SELECT topic FROM (
              SELECT sid, arg_min(topic, md5_number_lower(exchange_id)) AS topic,
                     md5_number_lower(CAST(sid AS VARCHAR)) AS turn
              FROM exchanges WHERE part = 'B' AND user_tokens > 0 GROUP BY sid)
            ORDER BY turn, topic LIMIT {_BACKGROUND}"""
    )
    totals = desk.query(
        """SELECT count(*) AS n, count(*) FILTER (method_hints <> 0) AS h,
                   epoch_us(min(ts)) AS low, epoch_us(max(ts)) AS high FROM exchanges"""
    ).to_pylist()[0]
    created = people["created"].to_numpy(zero_copy_only=False).astype(np.float64)
    return Population(
        sids=people["sid"].to_numpy(),
        org=_coded(people["org"].to_pylist())[0],
        segment=_coded(people["segment"].to_pylist())[0],
        created_us=np.where(own, created, np.nan),
        codes=codes,
        counts=counts,
        volume=volume,
        exit_code=exit_code,
        exit_counts=exit_counts,
        background=unit_rows(sample["topic"].to_pylist()),
        harvest_share=totals["h"] / max(totals["n"], 1),
        span_us=(int(totals["low"] or 0), int(totals["high"] or 0)),
    )


def in_part(desk: Desk, part: str, population: Population) -> Population:
    """Return the population with the volumes and exits of another part; all else stays."""
    volume, exit_code, exit_counts = _traffic(desk, part, len(population.sids))
    return replace(population, volume=volume, exit_code=exit_code, exit_counts=exit_counts)


def _traffic(desk: Desk, part: str, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return exchanges by sid in a part, the code of the prefix used most, and the codes' counts.

    An end user of a channel leaves through the channel's exits and has none of its own.
    """
    exits = desk.query(
        f"""SELECT e.sid, e.h_prefix, count(*) AS n FROM exchanges e
            JOIN subjects s ON s.sid = e.sid AND s.end_user_id IS NULL
            WHERE e.part = '{part}' AND e.h_prefix <> 0 GROUP BY e.sid, e.h_prefix
            ORDER BY e.sid, n DESC, e.h_prefix"""
    )
    main: list[str | int | None] = [None] * size
    for sid, prefix in zip(exits["sid"].to_pylist(), exits["h_prefix"].to_pylist(), strict=True):
        if main[sid] is None:
            main[sid] = prefix
    sent = desk.query(
        f"SELECT sid, count(*) AS n FROM exchanges WHERE part = '{part}' GROUP BY sid"
    )
    volume = np.zeros(size, dtype=np.int64)
    volume[sent["sid"].to_numpy()] = sent["n"].to_numpy()
    return volume, *_coded(main)


def _coded(words: list[str | int | None]) -> tuple[np.ndarray, np.ndarray]:
    """Return codes (−1 for missing or empty) and how many carry each code."""
    index: dict[str | int, int] = {}
    codes = np.array(
        [-1 if w is None or w == "" else index.setdefault(w, len(index)) for w in words],
        dtype=np.int64,
    )
    return codes, np.bincount(codes[codes >= 0], minlength=len(index))


def _centred(rows: np.ndarray, events: pa.Table, org: np.ndarray) -> np.ndarray:
    """Return the topic rows of the events without what the template itself says."""
    return centred_by(rows, events["template"].to_numpy(), org[events["sid"].to_numpy()])


def load_cohorts(desk: Desk, population: Population) -> list[Views]:
    """Return every hypothesis with the exchanges that speak for it, in both parts."""
    cohorts = desk.query("SELECT * FROM cohorts ORDER BY cohort")
    members = desk.query("SELECT * FROM cohort_members ORDER BY cohort, sid")
    events = desk.query(
        """WITH chosen AS (
              SELECT c.cohort, k.rid, any_value(k.part) AS part,
                     bit_xor(k.template) AS template
              FROM (SELECT cohort, unnest(frames) AS frame FROM cohorts WHERE by_text) c
              JOIN carried k ON k.frame = c.frame
              JOIN cohort_members m ON m.cohort = c.cohort AND m.sid = k.sid AND m.how = 'text'
              WHERE k.part <> '-' GROUP BY c.cohort, k.rid
              UNION
              SELECT m.cohort, e.rid, e.part, CAST(0 AS UBIGINT) FROM cohort_members m
              JOIN cohorts c ON c.cohort = m.cohort AND NOT c.by_text
              JOIN exchanges e ON e.sid = m.sid AND e.part <> '-'
              WHERE m.how IN ('found', 'direct'))
            SELECT ch.cohort, ch.part, ch.template, e.rid, e.sid, epoch_us(e.ts) AS ts,
                   e.h_payload, e.topic,
                   e.method_hints <> 0 AS harvest,
                   coalesce(e.status, 'ok') NOT IN ('denied', 'rate_limited') AS answered,
                   u.rid IS NULL AS fresh, e.user_tokens >= 8 AS long
            FROM chosen ch JOIN exchanges e ON e.rid = ch.rid
            LEFT JOIN follow_ups u ON u.rid = e.rid ORDER BY ch.cohort, e.rid"""
    )
    direct = desk.query(
        """SELECT m.cohort, d.kind, CAST(count_if(d.part = 'A') AS BIGINT) AS a,
                  CAST(count_if(d.part = 'B') AS BIGINT) AS b, count(*) AS total
           FROM direct d
           JOIN cohort_members m ON m.sid = d.a AND m.how <> 'associated'
           JOIN cohort_members k ON k.sid = d.b AND k.cohort = m.cohort AND k.how <> 'associated'
           GROUP BY m.cohort, d.kind ORDER BY m.cohort, d.kind"""
    ).to_pylist()
    cohort_of = events["cohort"].to_numpy()
    member_of = members["cohort"].to_numpy()
    member_sid = members["sid"].to_numpy()
    outside = np.array([h == "associated" for h in members["how"].to_pylist()], dtype=bool)
    variant = _variants(desk, events)
    loaded = []
    for row in cohorts.to_pylist():
        number = row["cohort"]
        low, high = np.searchsorted(cohort_of, [number, number + 1])
        both = events.slice(low, high - low)
        mine = member_of == number
        in_b = np.array([p == "B" for p in both["part"].to_pylist()], dtype=bool)
        raw = unit_rows(both["topic"].to_pylist())
        first = ~in_b & _flags(both, "fresh")
        found = both.filter(pa.array(first))
        trimmed = strangers_among(
            found["sid"].to_numpy(), population.org, _centred(raw[first], found, population.org)
        )
        stays = ~np.isin(both["sid"].to_numpy(), trimmed)
        happened = [d for d in direct if d["cohort"] == number]
        known = {
            "number": number,
            "found_by": frozenset(row["found_by"]),
            "by_text": row["by_text"],
            "members": member_sid[mine & ~outside],
            "associated": member_sid[mine & outside],
            "trimmed": trimmed,
            "direct_total": {d["kind"]: d["total"] for d in happened},
        }
        masks = {"a": ~in_b & stays, "b": in_b & stays, "total": stays}
        loaded.append(
            Views(
                *(
                    _seen(
                        both.filter(pa.array(mask)),
                        raw[mask],
                        variant[low:high][mask],
                        population.org,
                        known | {"direct": {d["kind"]: d[field] for d in happened}},
                    )
                    for field, mask in masks.items()
                )
            )
        )
    return loaded


def _flags(events: pa.Table, name: str) -> np.ndarray:
    return np.asarray(events[name].to_numpy(zero_copy_only=False), dtype=bool)


def _variants(desk: Desk, events: pa.Table) -> np.ndarray:
    """Return which of its cohort's templates each event carries; rows in the order of cohorts."""
    cohort, template, rid = (events[c].to_numpy() for c in ("cohort", "template", "rid"))
    keys, first, place = np.unique(
        np.stack([cohort.astype(np.uint64), template.astype(np.uint64)]),
        axis=1, return_index=True, return_inverse=True,
    )  # fmt: skip
    nodes = nodes_sent(desk, rid[first][keys[1] != 0].tolist())
    sent = {k: nodes.get(r, frozenset()) for k, r in enumerate(rid[first].tolist())}
    found = np.full(len(cohort), NO_VARIANT, dtype=np.int64)
    for number in np.unique(cohort).tolist():
        low, high = np.searchsorted(cohort, [number, number + 1])
        found[low:high] = apart(place.ravel()[low:high], sent)
    return found


def _seen(
    part: pa.Table, raw: np.ndarray, variant: np.ndarray, org: np.ndarray, known: dict[str, Any]
) -> Cohort:
    return Cohort(
        rid=part["rid"].to_numpy(),
        sid=part["sid"].to_numpy(),
        ts_us=part["ts"].to_numpy(),
        payload=part["h_payload"].to_numpy(),
        topic=_centred(raw, part, org),
        raw_topic=raw,
        harvest=_flags(part, "harvest"),
        answered=_flags(part, "answered"),
        fresh=_flags(part, "fresh"),
        long=_flags(part, "long"),
        variant=variant,
        **known,
    )
